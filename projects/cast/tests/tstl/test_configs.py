"""TSTL's recipes load, build, say how to run them, and equal the released one."""

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from slowfast.config import derive, load_cfg
from slowfast.engine.series import runs_of
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.slurm.sweep import sweep_words
from slowfast.tasks import build_task
from slowfast.weights.trained_part import frozen_part
from tests.recipes import check_augmentation

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "tstl"
RECIPES = sorted(path for path in CONFIGS.glob("*.yaml") if not path.stem.endswith("_array"))
HEADER = ("command", "hardware", "views", "published", "measured")
GROUPS = {"ssv2": (174, 15), "ucf101": (101, 10)}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_loads_and_builds(path, caplog):
    cfg = load_cfg(path)
    assert not caplog.records  # no key without effect
    build_task(cfg)
    runs = runs_of(cfg)
    classes, groups = GROUPS[path.stem.partition("_")[0]]
    assert len(runs) == (groups if "_experts" in path.stem else 1)
    with torch.device("meta"):
        model = build_model(runs[0])
    total, trained = count_parameters(model)
    assert total - trained == sum(tensor.numel() for tensor in frozen_part(model).values()) == 172_023_552
    heads = [m.out_features for name, m in model.named_modules() if name.endswith("head") and isinstance(m, nn.Linear)]
    if "_" in path.stem:
        assert heads == [groups if "_selector" in path.stem else classes]
    else:
        assert heads == [groups] + [classes] * groups
    assert f"projects/cast/configs/tstl/{path.name}" in path.read_text()
    found = [match[1] for line in path.read_text().splitlines() if (match := re.match(r"# (\w+)  +\S", line))]
    assert [word for word in found if word in HEADER] == list(HEADER)


@pytest.mark.parametrize("name", GROUPS)
def test_released_recipe(reference_dir, name):
    published = json.loads((reference_dir / "parity" / "recipes.json").read_text())["TSTL"]["common"]
    for stage in ("selector", "experts"):
        cfg = load_cfg(CONFIGS / f"{name}_{stage}.yaml")
        solver = cfg.SOLVER
        assert derive.effective_batch(cfg) == cfg.TRAIN.BATCH_SIZE == published["batch"] and cfg.NUM_GPUS == 1
        assert cfg.TRAIN.BALANCED_BATCH == [4, 2]
        assert derive.scaled_lr(cfg)[0] == pytest.approx(published["base_lr"] * published["batch"] / 256)
        assert solver.MAX_EPOCH == published["epochs"] - published["start_epoch_default"]
        assert solver.WARMUP_EPOCHS == published["warmup_epochs"] - published["start_epoch_default"] == 0
        assert (solver.LAYER_DECAY, solver.WEIGHT_DECAY) == (published["layer_decay"], published["weight_decay"])
        assert list(solver.BETAS) == published["betas"] and solver.OPTIMIZING_METHOD == "adamw"
        assert cfg.CAST.DROP_PATH_RATE == published["drop_path"] and cfg.DATA.NUM_FRAMES == published["num_frames"]
        mixing = published["mixing"]
        assert (cfg.MIXUP.ALPHA, cfg.MIXUP.CUTMIX_ALPHA) == (mixing["mixup_alpha"], mixing["cutmix_alpha"])
        assert (cfg.MIXUP.PROB, cfg.MIXUP.SWITCH_PROB) == (
            *(mixing["probability"], mixing["switch_to_cutmix_probability"]),
        )
        assert cfg.MIXUP.GROUP_SIZE == 0  # a class with another one, never with itself
        assert cfg.MIXUP.LABEL_SMOOTH_VALUE == mixing["label_smoothing"] and cfg.AUG.RE_PROB == 0
        tstl = cfg.TSTL
        assert (tstl.CE_WEIGHT, tstl.BATCH_ALL_WEIGHT, tstl.SEMI_HARD_WEIGHT) == (1, 0, 0)
        assert (tstl.VAL_CE_WEIGHT, tstl.VAL_BATCH_ALL_WEIGHT, tstl.EXPERT_VIDEOS) == (0.5, 0.5, "group")
        views = f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} temporal x {cfg.TEST.NUM_SPATIAL_CROPS} spatial"
        assert views == published["test_views"] and cfg.TEST.SCORES == "softmax"
    routed = load_cfg(CONFIGS / f"{name}.yaml").TSTL
    assert (routed.TOPK, routed.VOTE) == (1, "maxlogit")


@pytest.mark.parametrize("name", GROUPS)
def test_mended_recipe_trains_on_triplets(name):
    for stage in ("selector", "experts"):
        cfg = load_cfg(CONFIGS / f"{name}_{stage}_mended.yaml")
        assert cfg.TSTL.BATCH_ALL_WEIGHT > 0 and cfg.TSTL.SEMI_HARD_ROOT and not cfg.MIXUP.ENABLE
        assert cfg.TRAIN.BATCH_SIZE == 8 * cfg.NUM_GPUS and cfg.SOLVER.MAX_EPOCH == 10


@pytest.mark.parametrize("name", GROUPS)
def test_array_of_experts(name, tmp_path):
    config = CONFIGS / f"{name}_experts.yaml"
    runs = sweep_words(CONFIGS / f"{name}_experts_array.yaml", config, [], tmp_path)
    assert len(runs) == GROUPS[name][1]
    for number, (_, cfg) in enumerate(runs):
        assert [own.TSTL.EXPERTS for own in runs_of(cfg)] == [number]


def test_augmentation_is_the_single_models(reference_dir):
    """TSTL is based on CAST's recipe with one head."""
    recipes = json.loads((reference_dir / "parity" / "recipes.json").read_text())
    check_augmentation(load_cfg(CONFIGS / "ssv2_experts.yaml"), recipes["CAST"]["ssv2"])
