"""Multigrid training as a user starts it: shapes, steps, compute told, batch normalisation, resuming in a cycle."""

import json

import pytest
import torch
from torch import nn

from slowfast.engine.multigrid import batch_norm_setting, build_course, training_gmacs
from slowfast.engine.processes.launch import launch
from slowfast.engine.train import Trainer, train
from slowfast.models import MODEL_REGISTRY, build_model
from slowfast.models.complexity import gmacs
from slowfast.models.layers.batch_norm import SubBatchNorm
from slowfast.models.xvit import XViT
from slowfast.solver.multigrid import BatchNormSetting
from slowfast.utils.errors import ConfigError, UserError
from tests.engine.test_resume import assert_same

CPU = torch.device("cpu")
CYCLES = {
    "MULTIGRID__LONG_CYCLE": True,
    "MULTIGRID__SHORT_CYCLE": True,
    "MULTIGRID__LONG_CYCLE_FACTORS": [(0.5, 1), (1, 1)],
    "MULTIGRID__SHORT_CYCLE_FACTORS": [0.5],
    "SOLVER__STEPS": [0, 2],
    "SOLVER__MAX_EPOCH": 3,
    "TRAIN__BATCH_SIZE": 2,
    "LOG_PERIOD": 1,
}
# (clips, frames, px) of the steps of 2 epochs of 2 steps and 2 epochs of 6 steps, of 32 clips
STEPS = [(16, 2, 16), (4, 2, 32)] * 2 + [(8, 4, 16), (2, 4, 32)] * 6


@MODEL_REGISTRY.register()
class SmallConvNet(nn.Module):
    """Two convolutions with batch normalisation; takes clips of any size."""

    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv3d(3, 6, 3, stride=2, padding=1), nn.BatchNorm3d(6), nn.ReLU()),
            *(nn.Conv3d(6, 8, 3, stride=2, padding=1), nn.BatchNorm3d(8), nn.ReLU()),
        )
        self.head = nn.Linear(8, num_classes)

    @classmethod
    def from_cfg(cls, cfg):
        return cls(cfg.MODEL.NUM_CLASSES)

    @classmethod
    def clip_divisors(cls, cfg):
        return 1, 1

    def forward(self, clip):
        return self.head(self.body(clip).mean(dim=(2, 3, 4)))


def rows(folder, split):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["split"] == split]


def checkpoint(folder):
    name = (folder / "checkpoints/last").read_text().strip()
    content = torch.load(folder / "checkpoints" / name, weights_only=True)
    content.pop("cfg")
    return content


@pytest.fixture
def seen(monkeypatch):
    """(clips, frames, px) of each batch that an XViT in training receives."""
    shapes, forward = [], XViT.forward

    def note(self, clip):
        if self.training and clip.device.type != "meta":
            shapes.append((clip.shape[0], clip.shape[2], clip.shape[3]))
        return forward(self, clip)

    monkeypatch.setattr(XViT, "forward", note)
    return shapes


def test_a_run(tiny_cfg, tmp_path, seen):
    assert launch(train, tiny_cfg(**CYCLES, MULTIGRID__EVAL_FREQ=1)) == 0
    assert seen == STEPS
    folder = tmp_path / "run"
    lines = rows(folder, "train")
    assert [line["step"] for line in lines] == list(range(1, 17))
    assert lines[-1]["eta_s"] == 0 and lines[-1]["epoch"] == 4
    assert [line["clips"] for line in rows(folder, "train_epoch")] == [20, 20, 30, 30]
    assert [line["epoch"] for line in rows(folder, "val")] == [2, 3, 4]
    recipe = json.loads((folder / "recipe.json").read_text())
    assert (recipe["steps"], recipe["epochs"]) == (16, 4)
    assert [phase["epochs"] for phase in recipe["multigrid"]["phases"]] == [[0, 2], [2, 3], [3, 4]]
    text = (folder / "stdout.log").read_text()
    assert "multigrid:" in text and "epoch 4/4" in text


@pytest.mark.parametrize("positions", ["sincos", "learnt"])
def test_a_run_of_the_plain_transformer(tiny_cfg, tmp_path, positions):
    """Checkpoints of a phase of small clips are those of the full model."""
    sizes = {"PATCH_SIZE": 16, "TUBELET_SIZE": 2, "EMBED_DIM": 16, "DEPTH": 1, "NUM_HEADS": 2, "POSITIONS": positions}
    options = {f"VIDEO_VIT__{key}": value for key, value in sizes.items()}
    cfg = tiny_cfg(**CYCLES, MODEL__MODEL_NAME="VideoViT", **options)
    assert launch(train, cfg) == 0
    weights = torch.load(tmp_path / "run/checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)["model_state"]
    build_model(cfg).load_state_dict(weights)


def test_compute_is_that_of_the_steps(tiny_cfg):
    cfg = tiny_cfg(**CYCLES)
    model = build_model(cfg)
    expected = sum(clips * gmacs(model, (1, 3, frames, crop, crop)) for clips, frames, crop in STEPS)
    steps = {0: 2, 1: 2, 2: 6, 3: 6}
    assert training_gmacs(build_course(cfg), steps.get, 2, model, 3) == pytest.approx(expected)


def test_dry_run_prints_the_cycle(run_net):
    ended = run_net("--dry_run", **CYCLES)
    assert ended.returncode == 0, ended.stderr
    assert "16 in 4 epochs" in ended.stdout and "of plain training" in ended.stdout
    table = [line.split("  ") for line in ended.stdout.splitlines() if line[:1].isdigit() and " to " in line]
    assert [[cell.strip() for cell in row if cell.strip()][:6] for row in table] == [
        ["1 to 2", "2", "16, 4", "2", "2 to 4", "16, 32"],
        ["3 to 3", "6", "8, 2", "4", "2", "16, 32"],
        ["4 to 4", "6", "8, 2", "4", "2", "16, 32"],
    ]


def test_resume_inside_a_cycle(tiny_cfg, tmp_path, monkeypatch):
    """Left after the third step, inside an epoch and a short cycle: the same bits at the end."""
    options = CYCLES | {"MODEL__DROPOUT_RATE": 0.2, "XVIT__BACKBONE__DROP_PATH_RATE": 0.2, "SOLVER__EMA_DECAY": 0.9}
    assert launch(train, tiny_cfg(OUTPUT_DIR=tmp_path / "whole", **options)) == 0
    cut = tiny_cfg(OUTPUT_DIR=tmp_path / "cut", TRAIN__CHECKPOINT_PERIOD_ITERS=3, **options)
    trainer = Trainer(cut, CPU)
    with monkeypatch.context() as patch:
        save = trainer.checkpoints.save

        def save_and_fall(*args, **kwargs):
            save(*args, **kwargs)
            if trainer.state.step == 3:
                raise KeyboardInterrupt

        patch.setattr(trainer.checkpoints, "save", save_and_fall)
        with pytest.raises(KeyboardInterrupt):
            for _ in range(2):
                trainer.train_epoch()
                trainer.finish_epoch()
    trainer.log.close()
    assert trainer.state.step_in_epoch == 1
    with pytest.raises(UserError, match="another MULTIGRID schedule"):
        Trainer(tiny_cfg(OUTPUT_DIR=tmp_path / "cut", **(options | {"MULTIGRID__EPOCH_FACTOR": 2.5})), CPU)
    assert launch(train, cut) == 0
    assert_same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "cut"))


def test_batch_normalisation_follows_the_phases(tiny_cfg, tmp_path, monkeypatch):
    """Base of 2 clips: 4 in the first phase make 2 parts, 2 later are taken whole; names stay those of a plain net."""
    seen, forward = [], SmallConvNet.forward

    def note(self, clip):
        if self.training and clip.device.type != "meta":
            layer = self.body[1]
            seen.append((clip.shape[0], layer.num_splits if isinstance(layer, SubBatchNorm) else None))
        return forward(self, clip)

    monkeypatch.setattr(SmallConvNet, "forward", note)
    cfg = tiny_cfg(**CYCLES, MODEL__MODEL_NAME="SmallConvNet", MULTIGRID__BN_BASE_SIZE=2)
    assert launch(train, cfg) == 0
    assert seen == [(16, 2), (4, 2)] * 2 + [(8, 1), (2, 1)] * 6
    weights = checkpoint(tmp_path / "run")["model_state"]
    assert weights.keys() == build_model(cfg).state_dict().keys()
    assert weights["body.1.num_batches_tracked"] == 16


def test_settings_of_batch_normalisation(tiny_cfg):
    cfg = tiny_cfg(**CYCLES, MULTIGRID__BN_BASE_SIZE=4)
    course = build_course(cfg)
    assert batch_norm_setting(course, 0, 8, cfg) == BatchNormSetting("sub_batchnorm", 4, 1)
    assert batch_norm_setting(course, 3, 8, cfg) == BatchNormSetting("sub_batchnorm", 2, 1)
    assert batch_norm_setting(course, 3, 4, cfg) == BatchNormSetting()
    assert batch_norm_setting(course, 3, 1, cfg) == BatchNormSetting("sync_batchnorm", 1, 4)
    plain = tiny_cfg(BN__NORM_TYPE="sub_batchnorm", BN__NUM_SPLITS=2)
    assert batch_norm_setting(build_course(plain), 0, 8, plain) == BatchNormSetting("sub_batchnorm", 2, 1)


def test_a_model_of_one_size_is_refused(tiny_cfg, monkeypatch):
    monkeypatch.delattr(XViT, "clip_divisors")
    with pytest.raises(ConfigError, match=r"'XViT' takes clips of one size alone.*VideoViT"):
        build_course(tiny_cfg(**CYCLES))


@pytest.mark.parametrize("name", ["XViT", "VideoViT"])
def test_shapes_fit_the_model(tiny_cfg, name):
    """With the published factors, rounded to whole patches and tubelets."""
    cfg = tiny_cfg(
        MODEL__MODEL_NAME=name,
        DATA__NUM_FRAMES=16,
        DATA__TRAIN_CROP_SIZE=224,
        DATA__TRAIN_JITTER_SCALES=[256, 320],
        MULTIGRID__LONG_CYCLE=True,
        MULTIGRID__SHORT_CYCLE=True,
        SOLVER__STEPS=[0, 10],
        SOLVER__MAX_EPOCH=12,
    )
    shapes = {shape for phase in build_course(cfg).phases for shape in phase.shapes}
    sizes = {(shape.num_frames, shape.crop_size) for shape in shapes}
    assert sizes == {(frames, crop) for frames in (4, 8) for crop in (112, 160)} | {
        *((8, 224), (16, 112), (16, 160), (16, 224)),
    }
