"""Predicted memory of a run and the micro-batch that fits; real processes of two models as the judge."""

import pytest
import torch
from torch import nn

from benchmarks.memory import EVA_VIDEO, SMALL, VIDEO_VIT, measured, predicted, small_run
from slowfast.config import derive
from slowfast.engine.memory_plan import MARGIN, describe_memory, fit_batch, memory_limit, memory_warning, plan_memory
from slowfast.engine.processes.data_parallel import summing_bytes
from slowfast.models import build_model
from slowfast.utils.errors import UserError
from tests.models.sizes import small_cfg

CPU = torch.device("cpu")
GIB = 2**30


def plan(cfg):
    with torch.device("meta"):
        model = build_model(cfg)
    return plan_memory(cfg, model, CPU)


def frozen(cfg, **keys):
    cfg.merge_from_list([word for key, value in keys.items() for word in (key.replace("__", "."), value)])
    cfg.freeze()
    return cfg


@pytest.mark.parametrize(
    "settings, recomputed",
    [
        (
            VIDEO_VIT | SMALL | {"VIDEO_VIT.EMBED_DIM": 512, "VIDEO_VIT.NUM_HEADS": 8, "SOLVER.ACCUMULATE_STEPS": 2},
            False,
        ),
        (EVA_VIDEO | SMALL | {"EVA_VIDEO.EMBED_DIM": 512, "EVA_VIDEO.NUM_HEADS": 8, "TRAIN.BATCH_SIZE": 3}, True),
    ],
    ids=["kept", "recomputed"],
)
def test_a_real_run(settings, recomputed):
    cfg = small_run(settings, recomputed)
    assert predicted(cfg) == pytest.approx(measured(cfg), rel=0.15)


def test_parts():
    cfg = small_cfg("ViTLLaMA", SOLVER__OPTIMIZING_METHOD="adamw", SOLVER__EMA_DECAY=0.5, TRAIN__BATCH_SIZE=6)
    found = plan(cfg)
    assert found.optimizer == 2 * found.step.weights and found.average == found.step.weights
    assert found.shape == (6, 6, 24) and found.step.frozen > 0
    assert found.peak == found.step.peak + found.optimizer + found.average
    text = dict(describe_memory(found, CPU))
    assert "6 x 6 x 24² px" in text["memory"]
    for part in ("weights", "gradients", "optimizer", "activations", "frozen", "moving average", "gathered"):
        assert part in text["of it, MiB"]


def test_shared_out_each_process_keeps_its_part():
    keys = {"SOLVER__OPTIMIZING_METHOD": "adamw", "TRAIN__BATCH_SIZE": 4, "NUM_PROCS": 4, "SOLVER__EMA_DECAY": 0.5}
    whole = plan(small_cfg("EVAVideo", **keys))
    part = plan(small_cfg("EVAVideo", TRAIN__PARALLEL="fsdp", **keys))
    sums = plan(small_cfg("EVAVideo", TRAIN__PARALLEL="fsdp", SOLVER__ACCUMULATE_STEPS=2, **keys))
    for name in ("weights", "gradients"):
        assert getattr(part.step, name) == pytest.approx(getattr(whole.step, name) / 4, abs=1)
    assert (part.optimizer, part.average) == pytest.approx((whole.optimizer / 4, whole.average / 4), abs=4)
    assert sums.step.gradients == whole.step.gradients  # until the last micro-batch
    model = build_model(small_cfg("EVAVideo"))
    sizes = [sum(parameter.numel() for parameter in block.parameters()) for block in model.blocks]
    rest = sum(parameter.numel() for parameter in model.parameters()) - sum(sizes)
    gathered = 4 * rest + 16 * max(sizes)  # two blocks, and a block's gradients twice
    spared = 0.75 * (whole.step.weights + whole.step.frozen + whole.step.gradients)
    assert (part.step.peak, part.gathered) == pytest.approx((whole.step.peak - spared, gathered), abs=4)
    assert part.peak == part.step.peak + part.optimizer + part.average + part.gathered


def test_summing_gradients_on_cpus_takes_two_buckets():
    model = build_model(small_cfg("EVAVideo"))
    sizes = [4 * parameter.numel() for parameter in model.parameters()]
    assert summing_bytes(model) == 2 * sum(sizes)  # smaller than a bucket
    assert summing_bytes(nn.Linear(2**13, 2**13)) == pytest.approx(2 * 4 * (2**26 + 2**13))
    own, rounded = (plan(small_cfg("EVAVideo", NUM_PROCS=2, DIST__COMM_HOOK=hook)) for hook in ("", "bf16"))
    assert own.peak - rounded.peak == own.gathered == summing_bytes(model)


def test_a_run_that_would_not_fit_is_told_what_to_switch_on():
    cfg = small_cfg("EVAVideo", TRAIN__MEMORY_LIMIT_GIB=1.0)
    found = plan(cfg)
    assert memory_warning(cfg, found, CPU) == ""
    cfg.TRAIN.MEMORY_LIMIT_GIB = 0.5 * found.peak / GIB
    assert "Set MODEL.ACT_CHECKPOINT True, TRAIN.PRECISION bf16" in memory_warning(cfg, found, CPU)


@pytest.mark.parametrize("solver, states", [({"MOMENTUM": 0.9}, 1), ({"MOMENTUM": 0.0}, 0)])
def test_state_of_sgd(solver, states):
    found = plan(small_cfg("EVAVideo", **{f"SOLVER__{key}": value for key, value in solver.items()}))
    assert found.optimizer == states * found.step.weights


@pytest.mark.parametrize("name", ["EVAVideo", "VideoMAE"])
def test_labels_of_other_tasks(name):
    options = {} if name == "VideoMAE" else {"MIXUP__ENABLE": True, "MODEL__LOSS_FUNC": "soft_cross_entropy"}
    options |= {"MODEL__LOSS_FUNC": "mse"} if name == "VideoMAE" else {}
    assert plan(small_cfg(name, TRAIN__BATCH_SIZE=4, **options)).step.activations > 0
    if name == "EVAVideo":
        assert plan(small_cfg(name, TASK="multi_label", TRAIN__BATCH_SIZE=4)).step.activations > 0


def test_repeated_clips_and_processes_count():
    one = plan(small_cfg("EVAVideo", TRAIN__BATCH_SIZE=4))
    assert plan(small_cfg("EVAVideo", TRAIN__BATCH_SIZE=4, AUG__ENABLE=True, AUG__NUM_SAMPLE=2)).shape[0] == 8
    two = plan(small_cfg("EVAVideo", TRAIN__BATCH_SIZE=4, NUM_PROCS=2, NUM_GPUS=0))
    assert two.shape[0] == 2 and two.step.activations < one.step.activations


def test_the_largest_shape_of_multigrid_counts():
    keys = {"TRAIN__BATCH_SIZE": 2, "DATA__NUM_FRAMES": 8, "SOLVER__LR_POLICY": "steps_with_relative_lrs"}
    keys |= {"SOLVER__STEPS": [0, 4, 6], "SOLVER__LRS": [1, 0.1, 0.01], "SOLVER__MAX_EPOCH": 8}
    found = plan(small_cfg("EVAVideo", MULTIGRID__LONG_CYCLE=True, MULTIGRID__SHORT_CYCLE=True, **keys))
    usual = plan(small_cfg("EVAVideo", **keys))
    assert found.peak >= usual.peak and found.shape[0] >= usual.shape[0]


class TestFitBatch:
    KEYS = {
        "TRAIN__AUTO_BATCH": True,
        "TRAIN__BATCH_SIZE": 12,
        "SOLVER__ACCUMULATE_STEPS": 2,
        "NUM_GPUS": 0,
        "TEST__BATCH_SIZE": 6,
    }

    def fitted(self, limit_bytes, **keys):
        cfg = small_cfg("EVAVideo", **self.KEYS | keys)
        return fit_batch(frozen(cfg, TRAIN__MEMORY_LIMIT_GIB=limit_bytes / GIB), CPU)

    def peak(self, size, **keys):
        keys = self.KEYS | {"TRAIN__BATCH_SIZE": size, "SOLVER__ACCUMULATE_STEPS": 24 // size} | keys
        return plan(small_cfg("EVAVideo", **keys)).peak

    def test_off(self):
        cfg = small_cfg("EVAVideo")
        assert fit_batch(cfg, CPU) is cfg

    @pytest.mark.parametrize("size", [24, 8, 1])
    def test_the_largest_divisor_that_fits(self, size):
        cfg = self.fitted(self.peak(size) / MARGIN + 1)
        assert (cfg.TRAIN.BATCH_SIZE, cfg.SOLVER.ACCUMULATE_STEPS) == (size, 24 // size)
        assert derive.effective_batch(cfg) == 24 and cfg.is_frozen()

    def test_what_the_configuration_forbids_is_not_tried(self):
        cfg = self.fitted(GIB, NUM_PROCS=3)
        assert cfg.TRAIN.BATCH_SIZE == 24
        cfg = self.fitted(self.peak(6, NUM_PROCS=3) / MARGIN + 1, NUM_PROCS=3)
        assert cfg.TRAIN.BATCH_SIZE == 6

    def test_not_even_one_clip_fits(self):
        with pytest.raises(UserError, match=r"TRAIN.BATCH_SIZE 1,.*MODEL.ACT_CHECKPOINT True, TRAIN.PRECISION bf16"):
            self.fitted(10_000)
        with pytest.raises(UserError) as error:
            self.fitted(
                10_000, MODEL__ACT_CHECKPOINT=True, TRAIN__PRECISION="bf16", MODEL__ACT_CHECKPOINT_KEEP=["linear"]
            )
        assert "MODEL.ACT_CHECKPOINT True" not in str(error.value)
        assert "MODEL.ACT_CHECKPOINT_KEEP []" in str(error.value) and "fewer DATA.NUM_FRAMES" in str(error.value)

    def test_free_memory(self):
        assert 2**20 < memory_limit(small_cfg("EVAVideo"), CPU) < 2**45
