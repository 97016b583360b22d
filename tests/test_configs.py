"""Every YAML in configs/ loads, builds, and says at its top how to run it; recipes equal the published ones."""

import json
import re
from pathlib import Path

import pytest
import torch

from slowfast.config import derive, load_cfg
from slowfast.datasets.transforms.build import build_clip_input, build_transforms
from slowfast.datasets.transforms.crops import JitteredCrop, MultiScaleCrop
from slowfast.datasets.transforms.device import Mixing
from slowfast.datasets.transforms.policies import AutoAugment
from slowfast.datasets.transforms.views import TrainTransform
from slowfast.engine.multigrid import build_course
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.solver.optimizer import build_optimizer
from slowfast.solver.schedules import build_schedule
from slowfast.tasks import build_task
from tests.recipes import check_augmentation

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
YAMLS = sorted(CONFIGS.rglob("*.yaml"))
RECIPES = [path for path in YAMLS if path.parent.name not in ("Base", "Toy")]
HEADER = ("command", "hardware", "views", "published", "measured")


def name_of(path):
    return path.stem


def on_meta(cfg):
    with torch.device("meta"):
        return build_model(cfg)


@pytest.mark.parametrize("path", YAMLS, ids=name_of)
def test_loads_and_builds(path, caplog):
    cfg = load_cfg(path)
    assert not caplog.records  # no key without effect
    model = on_meta(cfg)
    optimizer = build_optimizer(model, cfg, derive.scaled_lr(cfg)[0])
    trained = sum(parameter.numel() for group in optimizer.param_groups for parameter in group["params"])
    assert trained == count_parameters(model)[1]


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_header_says_how_to_run_it(path):
    lines = path.read_text().splitlines()
    header = lines[: next(n for n, line in enumerate(lines) if not line.startswith("#"))]
    found = [match[1] for line in header if (match := re.match(r"# (\w+)  +\S", line))]
    assert [word for word in found if word in HEADER] == list(HEADER)
    assert any(f"--cfg {path.relative_to(CONFIGS.parent)} " in line for line in header)


@pytest.fixture
def recipes(reference_dir):
    return json.loads((reference_dir / "parity/recipes.json").read_text())


@pytest.mark.parametrize(
    "file, recipe, shards",
    [
        ("Kinetics/videomae_s16_k400", "k400_small_e1600", 4),
        ("Kinetics/videomae_b16_k400", "k400_base_e1600", 8),
        ("SSv2/videomae_s16_ssv2", "ssv2_small_e2400", 4),
        ("SSv2/videomae_b16_ssv2", "ssv2_base_e2400", 8),
        ("UCF101/videomae_b16_ucf101", "ucf101_base_e3200", 1),
    ],
)
def test_recipes_of_videomae(recipes, file, recipe, shards):
    cfg = load_cfg(CONFIGS / f"{file}.yaml", num_shards=shards)
    published = recipes["VideoMAE"]["finetune_common"] | recipes["VideoMAE"]["finetune"][recipe]
    batch = published["batch_per_gpu"] * published["gpus"]
    assert (derive.effective_batch(cfg), cfg.NUM_GPUS * shards) == (batch, published["gpus"])
    scaled = [published[key] * batch / 256 for key in ("base_lr", "min_lr")]
    assert derive.scaled_lr(cfg) == pytest.approx((scaled[0], 0.0, scaled[1]), rel=1e-12)
    solver = cfg.SOLVER
    assert (solver.OPTIMIZING_METHOD, list(solver.BETAS), solver.EPS) == ("adamw", published["betas"], published["eps"])
    assert (solver.MAX_EPOCH, solver.WARMUP_EPOCHS) == (published["epochs"], published["warmup_epochs"])
    assert (solver.WEIGHT_DECAY, solver.LAYER_DECAY) == (published["weight_decay"], published["layer_decay"])
    assert (solver.LR_POLICY, solver.COSINE_AFTER_WARMUP, solver.WARMUP_ENDS_AT_PEAK) == ("cosine", True, True)
    assert solver.ZERO_WD_1D_PARAM and solver.CLIP_GRAD_L2NORM is solver.CLIP_GRAD_VAL is None
    assert cfg.VIDEO_VIT.DROP_PATH_RATE == published["drop_path"]
    assert cfg.VIDEO_VIT.HEAD_INIT_SCALE == published["init_scale"]
    assert cfg.MODEL.DROPOUT_RATE == published.get("head_dropout", 0.0)
    assert f"{cfg.TEST.NUM_ENSEMBLE_VIEWS}x{cfg.TEST.NUM_SPATIAL_CROPS}" == published["test_views"]
    check_augmentation(cfg, published)
    assert cfg.DATA.RANDOM_FLIP == (not file.startswith("SSv2"))
    assert cfg.DATA.SAMPLING == ("videomae_segments" if file.startswith("SSv2") else "videomae_dense")
    assert cfg.AUG.NUM_SAMPLE == published.get("repeated", published["repeated_samples_per_video"])
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.MEAN) == (published["num_frames"], published["normalisation"]["mean"])
    assert cfg.DATA.STD == published["normalisation"]["std"]
    assert derive.precision(cfg) == "fp16" and cfg.SOLVER.EMA_DECAY == 0


@pytest.mark.parametrize("file, size", [("s16", "small"), ("b16", "base")])
@pytest.mark.parametrize("plain", [False, True])
def test_recipes_of_vit_llama(recipes, file, size, plain):
    """VideoMAE's fine-tuning with a far smaller batch, which the plain baseline shares."""
    cfg = load_cfg(CONFIGS / f"SSv2/{'vit' if plain else 'vit_llama'}_{file}_ssv2.yaml")
    published = recipes["VideoMAE"]["finetune_common"] | recipes["ViT_LLaMA"][size]
    batch = published["batch_per_gpu"] * published["gpus"]
    if plain:
        clips, gpus = re.fullmatch(r"batch (\d+) x (\d+) GPUs", recipes["ViT_LLaMA"]["plain_baselines"][size]).groups()
        assert (cfg.MODEL.MODEL_NAME, cfg.NUM_GPUS) == ("VideoViT", int(gpus)) and int(clips) * int(gpus) == batch
    else:
        assert (cfg.MODEL.MODEL_NAME, cfg.NUM_GPUS) == ("ViTLLaMA", published["gpus"])
        assert (cfg.VIT_LLAMA.FIRST_LAYER, cfg.VIT_LLAMA.NUM_LAYERS, cfg.VIT_LLAMA.LOAD_NORM) == (15, 1, False)
        top1 = recipes["ViT_LLaMA"]["reported_top1"]
        header = (CONFIGS / f"SSv2/vit_llama_{file}_ssv2.yaml").read_text()
        assert f"top-1 {top1[f'vit_{file[0]}_llama']}" in header and f"{top1[f'vit_{file[0]}']}:" in header
    assert derive.effective_batch(cfg) == batch
    scaled = [published[key] * batch / 256 for key in ("base_lr", "min_lr")]
    assert derive.scaled_lr(cfg) == pytest.approx((scaled[0], 0.0, scaled[1]), rel=1e-12)
    solver = cfg.SOLVER
    assert (solver.MAX_EPOCH, solver.LAYER_DECAY) == (published["epochs"], published["layer_decay"])
    assert (solver.WEIGHT_DECAY, solver.WARMUP_EPOCHS) == (published["weight_decay"], published["warmup_epochs"])
    assert cfg.VIDEO_VIT.DROP_PATH_RATE == published["drop_path"] and not cfg.DATA.RANDOM_FLIP
    assert (cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS) == (2, 3)
    check_augmentation(cfg, published)
    assert (cfg.AUG.NUM_SAMPLE, cfg.DATA.SAMPLING) == (published["repeated"], "videomae_segments")


@pytest.mark.parametrize(
    "file, clips_per_gpu, gpus, changes",
    [
        ("Kinetics/videomae_s16_k400_pretrain", 32, 32, {"SAMPLING_RATE": 4, "MAX_EPOCH": 1600}),
        ("Kinetics/videomae_b16_k400_pretrain", 32, 64, {"SAMPLING_RATE": 4, "MAX_EPOCH": 1600}),
        ("Kinetics/videomae_l16_k400_pretrain", 8, 64, {"SAMPLING_RATE": 4, "MAX_EPOCH": 1600, "DECODER_DEPTH": 12}),
        ("SSv2/videomae_s16_ssv2_pretrain", 32, 64, {"SAMPLING_RATE": 2, "MAX_EPOCH": 2400}),
        ("SSv2/videomae_b16_ssv2_pretrain", 32, 64, {"SAMPLING_RATE": 2, "MAX_EPOCH": 2400}),
        ("EPIC/videomae_b16_epic_pretrain", 32, 64, {"SAMPLING_RATE": 4, "MAX_EPOCH": 800}),
        (
            "UCF101/videomae_b16_ucf101_pretrain",
            *(24, 8),
            {"SAMPLING_RATE": 4, "MAX_EPOCH": 3200, "MASK_RATIO": 0.75, "BASE_LR": 3e-4},
        ),
    ],
)
def test_recipes_of_videomae_pretraining(recipes, file, clips_per_gpu, gpus, changes):
    cfg = load_cfg(CONFIGS / f"{file}.yaml", num_shards=gpus // 8)
    published, batch = recipes["VideoMAE"]["pretrain"], clips_per_gpu * gpus
    assert (derive.effective_batch(cfg), cfg.NUM_GPUS * cfg.NUM_SHARDS) == (batch, gpus)
    scaled = [rate * batch / 256 for rate in (changes.get("BASE_LR", published["base_lr"]), published["min_lr"])]
    assert derive.scaled_lr(cfg) == pytest.approx((scaled[0], 0.0, scaled[1]), rel=1e-12)
    solver, data = cfg.SOLVER, cfg.DATA
    assert (solver.OPTIMIZING_METHOD, list(solver.BETAS)) == ("adamw", published["betas"])
    assert (solver.MAX_EPOCH, solver.WARMUP_EPOCHS) == (changes["MAX_EPOCH"], published["warmup_epochs"])
    assert (solver.WEIGHT_DECAY, solver.ZERO_WD_1D_PARAM) == (published["weight_decay"], True)
    assert (solver.LR_POLICY, solver.COSINE_AFTER_WARMUP, solver.WARMUP_ENDS_AT_PEAK) == ("cosine", True, True)
    assert (data.SAMPLING_RATE, data.NUM_FRAMES, data.RANDOM_FLIP) == (changes["SAMPLING_RATE"], 16, False)
    assert (data.MEAN, data.STD) == (published["normalisation"]["mean"], published["normalisation"]["std"])
    transform = build_transforms(cfg, "train")[1]
    assert "{1, .875, .75, .66} with 13 fixed positions" in published["augmentation"]
    assert transform == TrainTransform(MultiScaleCrop(224, (1, 0.875, 0.75, 0.66), 13), flip=False)
    assert cfg.VIDEO_MAE.MASK_RATIO == changes.get("MASK_RATIO", published["mask_ratio"])
    assert len(on_meta(cfg).decoder.blocks) == changes.get("DECODER_DEPTH", published["decoder_depth"])
    assert cfg.VIDEO_VIT.DROP_PATH_RATE == published["drop_path"] and cfg.VIDEO_MAE.NORM_PIXELS


@pytest.mark.parametrize(
    "file, recipe",
    [
        ("Kinetics/xvit_b16_k400", "kinetics_400"),
        ("Kinetics/xvit_b16_k600", "kinetics_400"),
        ("SSv2/xvit_b16_ssv2", "ssv2"),
    ],
)
def test_recipes_of_xvit(recipes, file, recipe):
    cfg = load_cfg(CONFIGS / f"{file}.yaml")
    published = recipes["XViT"]["common"] | recipes["XViT"][recipe]
    solver = cfg.SOLVER
    assert derive.effective_batch(cfg) == published["batch"]
    assert derive.scaled_lr(cfg) == (published["base_lr"], published["warmup_start_lr"], 0.0)
    assert (solver.OPTIMIZING_METHOD, solver.MOMENTUM, solver.NESTEROV) == ("sgd", published["momentum"], True)
    assert (solver.MAX_EPOCH, solver.WARMUP_EPOCHS) == (published["epochs"], 5)
    assert (solver.COSINE_AFTER_WARMUP, solver.ZERO_WD_1D_PARAM, solver.LAYER_DECAY) == (False, False, 1.0)
    assert solver.WEIGHT_DECAY == published["weight_decay"]
    assert (cfg.XVIT.SHIFT_DIV, cfg.XVIT.NUM_SEGMENTS) == (published["shift_div"], published["num_segments"])
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE) == (published["num_frames"], published["sampling_rate"])
    assert cfg.DATA.MEAN == cfg.DATA.STD == [0.5, 0.5, 0.5]
    assert (cfg.MODEL.DROPOUT_RATE, cfg.TEST.SCORES) == (published["dropout_in_head"], "logits")
    assert (cfg.MODEL.LOSS_FUNC == "smooth_cross_entropy") == ("0.3" in published["loss"])
    transform, done = build_transforms(cfg, "train")[1], build_clip_input(cfg, torch.device("cpu"), build_task(cfg))
    assert (
        transform.policy == AutoAugment(translate_px=100.0)
        and "constant 100" in published["augmentation"]["auto_augment"]
    )
    if recipe == "ssv2":
        erasing = published["random_erasing"]
        assert transform.crop == JitteredCrop((256, 320), 224) and not transform.flip and done.mixing is None
        assert done.erasing.probability == erasing["probability"] and done.erasing.mode == "const"
        assert [*done.erasing.areas, *done.erasing.aspects] == pytest.approx([0.02, 1 / 3, 0.3, 10 / 3])
        assert [*erasing["area"], *erasing["aspect"]] == pytest.approx([0.02, 1 / 3, 0.3, 10 / 3], abs=1e-3)
    else:
        assert transform.crop == MultiScaleCrop(224, (1.0, 0.875, 0.75, 0.66), 13) and transform.flip
        assert done.erasing is None and done.mixing == Mixing(published["mixup"]["alpha"])
    assert published["test_views"] == f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} temporal x {cfg.TEST.NUM_SPATIAL_CROPS} spatial"
    assert derive.precision(cfg) == "fp32"


@pytest.mark.parametrize("file", ["k722", "k400", "k600", "k700"])
def test_recipes_of_eva(recipes, file):
    path = CONFIGS / f"Kinetics/eva_video_1b_{file}.yaml"
    intermediate = file == "k722"
    eva = recipes["EVA_video"]
    published = eva["common"] | eva["k722_intermediate" if intermediate else "k400"] | eva.get(file, {})
    cfg = load_cfg(path, num_shards=16 if intermediate else 8)
    assert (derive.effective_batch(cfg), cfg.NUM_GPUS * cfg.NUM_SHARDS) == (256, 128 if intermediate else 64)
    steps = 16 if intermediate else 32
    one_machine = load_cfg(path, ["SOLVER.ACCUMULATE_STEPS", str(steps), "TRAIN.BATCH_SIZE", str(256 // steps)])
    assert derive.effective_batch(one_machine) == 256 and derive.scaled_lr(one_machine) == derive.scaled_lr(cfg)
    solver, data, aug = cfg.SOLVER, cfg.DATA, cfg.AUG
    assert (solver.OPTIMIZING_METHOD, list(solver.BETAS), solver.EPS) == ("adamw", published["betas"], published["eps"])
    assert (solver.WEIGHT_DECAY, solver.ZERO_WD_1D_PARAM) == (published["weight_decay"], True)
    assert (solver.BASE_LR, solver.LAYER_DECAY) == (published["lr"], published["layer_decay"])
    assert (solver.MAX_EPOCH, solver.WARMUP_EPOCHS) == (published["epochs"], published["warmup_epochs"])
    assert solver.CLIP_GRAD_L2NORM is solver.CLIP_GRAD_VAL is None and not solver.EMA_DECAY
    schedule = build_schedule(cfg, build_course(cfg), *derive.scaled_lr(cfg), steps_per_epoch=100)
    last = published["lr"] / 100 if intermediate else published["min_lr"]
    assert schedule(solver.MAX_EPOCH - 1e-9) == pytest.approx(last, rel=1e-3)
    assert cfg.EVA_VIDEO.DROP_PATH_RATE == published["drop_path"] and cfg.MODEL.ACT_CHECKPOINT
    assert data.NUM_FRAMES == published["frames"]
    assert data.SAMPLING == "eva" and derive.crop_rule(cfg) == "eva"
    for key, values in (("MEAN", "mean_0_255"), ("STD", "std_0_255")):
        assert [255 * value for value in data[key]] == pytest.approx(published["normalisation"][values])
    transform, done = build_transforms(cfg, "train")[1], build_clip_input(cfg, torch.device("cpu"), build_task(cfg))
    assert transform.crop == MultiScaleCrop(224, (1, 0.875, 0.75, 0.66), 5) and transform.flip
    assert transform.policy is None and done.erasing is None
    assert (list(aug.COLOR_STRENGTHS), aug.COLOR_PROB, aug.GREY_PROB) == ([0.4, 0.4, 0.2, 0.1], 0.8, 0.2)
    assert aug.COLOR_PER_FRAME
    if intermediate:
        assert (done.mixing.mixup_alpha, done.mixing.cutmix_alpha) == (published["mixup"], published["cutmix"])
        assert done.mixing.switch_probability == published["switch_to_cutmix_probability"]
    else:
        assert done.mixing is None
        assert f"# published  top-1 {published['reported_top1']}" in path.read_text()
    assert derive.label_smoothing(cfg) == published["label_smoothing"]
    assert published["test_views"].startswith(f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} temporal x {cfg.TEST.NUM_SPATIAL_CROPS} ")


@pytest.mark.parametrize(
    "file, fact",
    [
        ("Kinetics/xvit_b16_k400", "xvit_b16_k400_400"),
        ("Kinetics/xvit_b16_k600", "xvit_b16_k600_600"),
        ("SSv2/xvit_b16_ssv2", "xvit_b16_ssv2_174"),
        ("Kinetics/videomae_s16_k400", "videomae_s16_k400_400"),
        ("Kinetics/videomae_b16_k400", "videomae_b16_k400_400"),
        ("SSv2/videomae_s16_ssv2", "videomae_s16_ssv2_174"),
        ("SSv2/videomae_b16_ssv2", "videomae_b16_ssv2_174"),
        ("Kinetics/videomae_s16_k400_pretrain", "videomae_pretrain_s16"),
        ("EPIC/videomae_b16_epic_pretrain", "videomae_pretrain_b16"),
        ("Kinetics/videomae_l16_k400_pretrain", "videomae_pretrain_l16"),
        ("Kinetics/eva_video_1b_k722", "eva_1b_video_k722_8f"),
        ("Kinetics/eva_video_1b_k400", "eva_1b_video_k400_16f"),
        ("Kinetics/eva_video_1b_k600", "eva_1b_video_k600_16f"),
        ("Kinetics/eva_video_1b_k700", "eva_1b_video_k700_16f"),
    ],
)
def test_parameters_as_published(reference_dir, file, fact):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"]
    assert count_parameters(on_meta(load_cfg(CONFIGS / f"{file}.yaml")))[0] == facts[fact]["total_parameters"]
