"""Values that have the right type and are still wrong; keys that must fit each other."""

import pytest

from slowfast.config import load_cfg
from slowfast.config.check import AT_LEAST, CHOICES, FRACTIONS, NUMBERS
from slowfast.config.node import get
from slowfast.utils.errors import ConfigError


def problems(*opts):
    try:
        load_cfg(None, opts)
    except ConfigError as error:
        return error.problems
    return []


def the_problem(*opts):
    (problem,) = problems(*opts)
    return problem


def test_defaults_pass():
    assert problems() == []


@pytest.mark.parametrize("key", sorted(CHOICES))
def test_choices_are_listed(key):
    wrong = 9 if isinstance(CHOICES[key][0], int) else "nonsense"
    problem = the_problem(key, wrong)
    assert problem.startswith(f"command line: {key}: got {wrong!r}, expected one of ")
    assert all(repr(choice) in problem for choice in CHOICES[key])


@pytest.mark.parametrize("least, key", [(least, key) for least, keys in AT_LEAST.items() for key in sorted(keys)])
def test_smallest_values(least, key):
    kind = type(get(load_cfg(None), key))
    assert the_problem(key, kind(least - 1)) == (
        f"command line: {key}: got {kind(least - 1)!r}, expected {least} or more"
    )
    if kind is float:
        for value in (float("nan"), float("inf")):
            assert f"got {value!r}, expected {least} or more" in the_problem(key, value)


@pytest.mark.parametrize("key", FRACTIONS)
def test_fractions(key):
    assert problems(key, 0.0) == problems(key, 0.99) == []
    for value in (-0.1, 1.0, float("nan")):
        assert "expected a number in [0, 1)" in the_problem(key, value)


@pytest.mark.parametrize("key", sorted(NUMBERS))
@pytest.mark.parametrize("value", [["a", "b", "c"], [True, True, True], [None] * 2, [float("nan")] * 3])
def test_lists_of_numbers(key, value):
    assert f"{key}: got {value!r}, expected " in the_problem(key, type(get(load_cfg(None), key))(value)).replace(
        "(", "["
    ).replace(")", "]")


@pytest.mark.parametrize(
    "key, value",
    [("DATA.MEAN", [0.5]), ("DATA.STD", [0.5] * 4), ("DATA.TRAIN_JITTER_SCALES", [256]), ("SOLVER.BETAS", (0.9,))],
)
def test_lists_of_a_fixed_length(key, value):
    assert "numbers" in the_problem(key, value)


@pytest.mark.parametrize("key", ["SOLVER.CLIP_GRAD_VAL", "SOLVER.CLIP_GRAD_L2NORM"])
def test_clipping_is_off_or_positive(key):
    assert problems(key, 1) == problems(key, 0.5) == problems(key, None) == []
    for value in (0, -1.0, "some", True, [1.0]):
        assert "expected a number above 0, or None for no clipping" in the_problem(key, value)


@pytest.mark.parametrize("key", ["TRAIN.BATCH_SIZE", "OUTPUT_DIR", "TRAIN.ENABLE", "DATA.MEAN", "TEST.SCORES", "TASK"])
def test_honoured_keys_need_a_value(key):
    assert "got None, expected " in the_problem(key, "None")


@pytest.mark.parametrize("key", ["TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"])
@pytest.mark.parametrize("processes", ["NUM_GPUS", "NUM_PROCS"])
def test_batches_are_shared_equally(key, processes):
    opts = ["TRAIN.BATCH_SIZE", 12, "TEST.BATCH_SIZE", 12, processes, 4]
    assert problems(*opts) == []
    assert f"{key}: 10 clips cannot be shared equally by {processes} 4 processes; take a multiple of 4" in the_problem(
        *opts, key, 10
    )


@pytest.mark.parametrize("key", ["MODEL.FREEZE", "MODEL.TRAINABLE", "SOLVER.NO_DECAY"])
def test_name_patterns_are_words(key):
    assert problems(key, ["blocks.0", "*.bias"]) == problems(key, []) == []
    for value in ([3], [""], ["norm", None]):
        assert "expected names such as ['blocks.0']" in the_problem(key, value)


def test_layer_decay_is_a_share():
    assert problems("SOLVER.LAYER_DECAY", 0.75) == problems("SOLVER.LAYER_DECAY", 1) == []
    for value in (0.0, 1.5, -1.0):
        assert f"got {value}, expected a number above 0, at most 1" in the_problem("SOLVER.LAYER_DECAY", value)


def test_the_learning_rate_is_scaled_once():
    opts = ["SOLVER.BASE_LR_BATCH_SIZE", 256]
    assert problems(*opts) == []
    assert "SOLVER.BASE_LR_SCALE_NUM_SHARDS False" in the_problem(*opts, "SOLVER.BASE_LR_SCALE_NUM_SHARDS", True)


def test_no_gpu_shares_nothing():
    assert problems("NUM_GPUS", 0, "TRAIN.BATCH_SIZE", 3) == []


def test_shards():
    assert problems("NUM_SHARDS", 2, "SHARD_ID", 1) == []
    assert "SHARD_ID: got 2, expected less than NUM_SHARDS 2" in the_problem("NUM_SHARDS", 2, "SHARD_ID", 2)


def test_cosine_goes_down():
    opts = ["SOLVER.BASE_LR", 0.1, "SOLVER.COSINE_END_LR", 0.1]
    assert "SOLVER.COSINE_END_LR: got 0.1, expected less than SOLVER.BASE_LR 0.1" in the_problem(*opts)
    assert problems(*opts, "TRAIN.ENABLE", False) == []
    warmup = ["SOLVER.WARMUP_EPOCHS", 5.0, "SOLVER.MAX_EPOCH", 5]
    assert problems(*warmup) == []
    assert "WARMUP_EPOCHS: got 5.0" in the_problem(*warmup, "SOLVER.COSINE_AFTER_WARMUP", True)


@pytest.mark.parametrize(
    "steps, factors, key",
    [
        ([], [], "SOLVER.STEPS"),
        ([1, 2], [1, 0.1], "SOLVER.STEPS"),
        ([0, 4, 4], [1, 0.1, 0.01], "SOLVER.STEPS"),
        ([0, 4], [1], "SOLVER.LRS"),
        ([0, 4], [1, 0.1], None),
    ],
)
def test_steps_and_their_factors(steps, factors, key):
    opts = ["SOLVER.STEPS", steps, "SOLVER.LRS", factors]
    assert problems(*opts) == []  # the cosine does not read them
    found = problems(*opts, "SOLVER.LR_POLICY", "steps_with_relative_lrs")
    assert [problem.split(": ")[1] for problem in found] == ([key] if key else [])


def test_a_crop_fits_the_scaled_clip():
    assert "smaller number first" in the_problem("DATA.TRAIN_JITTER_SCALES", [320, 256])
    opts = ["DATA.TRAIN_CROP_SIZE", 257]
    assert "a short side of 256 px cannot hold a crop of DATA.TRAIN_CROP_SIZE 257 px" in the_problem(*opts)
    assert problems(*opts, "TRAIN.ENABLE", False) == problems("DATA.TRAIN_CROP_SIZE", 256) == []


@pytest.mark.parametrize(
    "key, value, text",
    [
        ("DATA.STD", [0.5, 0.0, 0.5], "expected numbers above 0"),
        ("SOLVER.BETAS", (0.9, 1.0), "expected numbers in [0, 1)"),
        ("SOLVER.STATE_BITS", 8, "SOLVER.OPTIMIZING_METHOD sgd keeps 32"),
        ("RESNET.NUM_GROUPS", 3, "RESNET.WIDTH_PER_GROUP: got 64, expected a multiple of RESNET.NUM_GROUPS 3"),
        ("TASK", "ssl", "self-supervised tasks are not implemented"),
        ("TASK", "ssl_eval_k400", "self-supervised tasks are not implemented"),
        ("TASK", "masked_pretraining", "TEST.ENABLE: got True, but TASK masked_pretraining has no classes"),
    ],
)
def test_other_rules(key, value, text):
    assert text in the_problem(key, value)


def test_precise_batch_norm_counts_batches():
    opts = ["TRAIN.ENABLE", False, "BN.NUM_BATCHES_PRECISE", -1]
    assert problems(*opts) == []
    assert "BN.NUM_BATCHES_PRECISE: got -1" in the_problem(*opts, "BN.USE_PRECISE_STATS", True)


def test_a_wrong_value_is_told_once():
    found = problems("SHARD_ID", -1, "NUM_SHARDS", 0, "TRAIN.BATCH_SIZE", 0, "TEST.CHECKPOINT_TYPE", "nonsense")
    assert [problem.split(": ")[1] for problem in found] == [
        "TEST.CHECKPOINT_TYPE",
        "SHARD_ID",
        "NUM_SHARDS",
        "TRAIN.BATCH_SIZE",
    ]


@pytest.mark.parametrize("backend, reader", [("pyav", "pyav"), ("decord", "auto")])
def test_the_decoding_backend_is_mapped_with_a_note(caplog, backend, reader):
    load_cfg(None, ["DATA.DECODING_BACKEND", backend])
    (record,) = caplog.records
    assert f"'{backend}' is upstream's name for DATA.READER" in record.getMessage()
    assert f"DATA.READER '{reader}'" in record.getMessage()


def test_weights():
    assert problems("WEIGHTS.MIN_MATCHED", 1.0, "WEIGHTS.TRAIN_SHA256", "0a" * 32) == []
    assert problems("WEIGHTS.MIN_MATCHED", 0.0, "WEIGHTS.TEST_SHA256", "0A" * 32) == []
    for value in (-0.1, 1.01, float("nan")):
        assert "expected a number in [0, 1]" in the_problem("WEIGHTS.MIN_MATCHED", value)
    for key in ("WEIGHTS.TRAIN_SHA256", "WEIGHTS.TEST_SHA256"):
        assert "expected the 64 hex digits" in the_problem(key, "0a" * 31)


@pytest.mark.parametrize(
    "on, keep, told",
    [(True, ["mlp"], "expected a list of attention, linear"), (False, ["linear"], "ACT_CHECKPOINT, which is False")],
)
def test_kept_activations(on, keep, told):
    with pytest.raises(ConfigError, match=told):
        load_cfg(None, ["MODEL.ACT_CHECKPOINT", str(on), "MODEL.ACT_CHECKPOINT_KEEP", str(keep)])


@pytest.mark.parametrize(
    "opts, key",
    [
        (("DIST.COMM_HOOK", "bf16"), "DIST.COMM_HOOK"),
        (("MODEL.COMPILE", True), "MODEL.COMPILE"),
        (("DIST.CPU_OFFLOAD", True, "TRAIN.PRECISION", "fp16"), "DIST.CPU_OFFLOAD"),
    ],
)
def test_what_does_not_go_with_fsdp(opts, key):
    assert f" {key}: got " in the_problem("TRAIN.PARALLEL", "fsdp", *opts)
    assert problems("TRAIN.PARALLEL", "fsdp", "DIST.CPU_OFFLOAD", True, "TRAIN.PRECISION", "bf16") == []


def test_offloading_is_for_what_is_shared_out():
    assert "DIST.CPU_OFFLOAD: got True, but TRAIN.PARALLEL is ddp" in the_problem("DIST.CPU_OFFLOAD", True)
