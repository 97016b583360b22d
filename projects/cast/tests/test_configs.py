"""CAST's YAMLs load, build, say how to run them, and equal the published recipes."""

import json
import re
from pathlib import Path

import pytest
import torch

from slowfast.config import derive, load_cfg
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.solver.optimizer import build_optimizer
from slowfast.tasks import build_task
from tests.recipes import check_augmentation

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
RECIPES = sorted(CONFIGS.glob("*.yaml"))
TOYS = sorted((CONFIGS / "Toy").glob("*.yaml"))
HEADER = ("command", "hardware", "views", "published", "measured")


@pytest.mark.parametrize("path", RECIPES + [path for path in TOYS if path.stem != "base"], ids=lambda path: path.stem)
def test_loads_and_builds(path, caplog):
    cfg = load_cfg(path)
    assert not caplog.records  # no key without effect
    build_task(cfg)
    with torch.device("meta"):
        model = build_model(cfg)
    optimizer = build_optimizer(model, cfg, derive.scaled_lr(cfg)[0])
    trained = sum(parameter.numel() for group in optimizer.param_groups for parameter in group["params"])
    assert trained == count_parameters(model)[1]
    assert f"--cfg projects/cast/configs/{path.relative_to(CONFIGS)}" in path.read_text()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_header_says_how_to_run_it(path):
    found = [match[1] for line in path.read_text().splitlines() if (match := re.match(r"# (\w+)  +\S", line))]
    assert [word for word in found if word in HEADER] == list(HEADER)


@pytest.mark.parametrize("file, recipe", [("ssv2", "ssv2"), ("epic100", "epic_kitchens_100"), ("k400", "kinetics_400")])
def test_published_recipe(reference_dir, file, recipe):
    cfg = load_cfg(CONFIGS / f"cast_b16_{file}.yaml", num_shards=2)
    published = json.loads((reference_dir / "parity/recipes.json").read_text())["CAST"][recipe]
    gpus = published["gpus_in_paper_text"]
    batch = published["batch_per_gpu"] * published["accumulation_steps"] * gpus
    assert (derive.effective_batch(cfg), cfg.NUM_GPUS * 2) == (batch, gpus)
    scaled = [published[key] * batch / 256 for key in ("base_lr", "min_lr")]
    assert derive.scaled_lr(cfg) == pytest.approx((scaled[0], 0.0, scaled[1]), rel=1e-12)
    solver = cfg.SOLVER
    assert (solver.OPTIMIZING_METHOD, list(solver.BETAS), solver.EPS) == ("adamw", published["betas"], published["eps"])
    assert (solver.MAX_EPOCH, solver.WARMUP_EPOCHS) == (published["epochs"], published["warmup_epochs"])
    assert (solver.WEIGHT_DECAY, solver.LAYER_DECAY) == (published["weight_decay"], published["layer_decay"])
    assert (solver.LR_POLICY, solver.COSINE_AFTER_WARMUP, solver.WARMUP_ENDS_AT_PEAK) == ("cosine", True, True)
    assert solver.ZERO_WD_1D_PARAM and solver.CLIP_GRAD_L2NORM is solver.CLIP_GRAD_VAL is None and not solver.EMA_DECAY
    assert cfg.CAST.DROP_PATH_RATE == published["drop_path"]
    assert cfg.MODEL.DROPOUT_RATE == published["dropout_before_head"]
    check_augmentation(cfg, published)
    assert cfg.DATA.SAMPLING == ("videomae_dense" if file == "k400" else "videomae_segments")
    assert cfg.AUG.NUM_SAMPLE == published["repeated_samples_per_video"]
    classes = published["classes"]
    heads = [classes["verb"], classes["noun"]] if isinstance(classes, dict) else []
    assert (cfg.MODEL.HEAD_CLASSES, cfg.MODEL.NUM_CLASSES) == (heads, sum(heads) or classes)
    views = f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} temporal x {cfg.TEST.NUM_SPATIAL_CROPS} spatial"
    assert (cfg.TEST.SCORES, views) == ("softmax", published["test_views"])
    assert cfg.DATA.RANDOM_FLIP == (published["horizontal_flip"] == 0.5)
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE) == (published["num_frames"], published["input_size"])
    assert (cfg.DATA.MEAN, cfg.DATA.STD) == (published["normalisation"]["mean"], published["normalisation"]["std"])
