"""Values that follow from several keys, computed by hand."""

import pytest

from slowfast.config import derive, load_cfg


@pytest.mark.parametrize(
    "precision, mixed, expected",
    [("", False, "fp32"), ("", True, "fp16"), ("bf16", False, "bf16"), ("bf16", True, "bf16"), ("fp32", True, "fp32")],
)
def test_precision(precision, mixed, expected):
    cfg = load_cfg(None, ["TRAIN.PRECISION", precision, "TRAIN.MIXED_PRECISION", mixed])
    assert derive.precision(cfg) == expected


def test_effective_batch():
    cfg = load_cfg(None, ["TRAIN.BATCH_SIZE", 6, "NUM_SHARDS", 5, "SOLVER.ACCUMULATE_STEPS", 7, "NUM_GPUS", 2])
    assert derive.effective_batch(cfg) == 6 * 5 * 7  # clips a machine, machines, micro-steps; the GPUs share the 6


def test_scaled_lr():
    rates = ["SOLVER.BASE_LR", 0.5, "SOLVER.WARMUP_START_LR", 0.125, "SOLVER.COSINE_END_LR", 0.25, "NUM_SHARDS", 4]
    assert derive.scaled_lr(load_cfg(None, rates)) == (0.5, 0.125, 0.25)
    cfg = load_cfg(None, [*rates, "SOLVER.BASE_LR_SCALE_NUM_SHARDS", True])
    assert derive.scaled_lr(cfg) == derive.scaled_lr(cfg) == (2.0, 0.5, 1.0)
    assert cfg.SOLVER.BASE_LR == 0.5  # the cfg is never rewritten


def test_lr_scaled_by_the_effective_batch():
    """The rule of VideoMAE's scripts: rate x clips / 256, the smallest rate included."""
    batch = ["TRAIN.BATCH_SIZE", 64, "NUM_SHARDS", 8, "SOLVER.ACCUMULATE_STEPS", 2, "SOLVER.BASE_LR_BATCH_SIZE", 256]
    rates = ["SOLVER.BASE_LR", 5e-4, "SOLVER.WARMUP_START_LR", 0.0, "SOLVER.COSINE_END_LR", 1e-6]
    assert derive.scaled_lr(load_cfg(None, [*batch, *rates])) == pytest.approx((2e-3, 0.0, 4e-6), rel=1e-12)


@pytest.mark.parametrize("gpus, cuda, expected", [(4, True, 4), (4, False, 2), (0, True, 2), (0, False, 2)])
def test_num_processes(gpus, cuda, expected):
    assert derive.num_processes(load_cfg(None, ["NUM_GPUS", gpus, "NUM_PROCS", 2]), cuda) == expected


def test_num_views():
    assert derive.num_views(load_cfg(None, ["TEST.NUM_ENSEMBLE_VIEWS", 4, "TEST.NUM_SPATIAL_CROPS", 3])) == 12


@pytest.mark.parametrize("task, expected", [("", "classification"), ("verb_noun", "verb_noun")])
def test_task_name(task, expected):
    assert derive.task_name(load_cfg(None, ["TASK", task])) == expected


@pytest.mark.parametrize(
    "reader, backend, expected",
    [("auto", "torchvision", "auto"), ("auto", "decord", "auto"), ("auto", "pyav", "pyav"), ("pyav", "decord", "pyav")],
)
def test_reader_kind(reader, backend, expected):
    assert derive.reader_kind(load_cfg(None, ["DATA.READER", reader, "DATA.DECODING_BACKEND", backend])) == expected
