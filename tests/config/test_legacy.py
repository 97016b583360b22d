"""Keys without effect: named once by a warning, refused where another value would change the result."""

import logging

import pytest

from slowfast.config import get_cfg, legacy, load_cfg
from slowfast.config.node import get
from slowfast.utils.errors import ConfigError

NO_TRAINING = ["TRAIN.ENABLE", False]
NO_TEST = ["TEST.ENABLE", False]


def another(value):
    """A value of the same type that is not the default."""
    kinds = {bool: lambda: not value, str: lambda: f"other {value}", list: lambda: [9], tuple: lambda: (9,)}
    return (
        kinds[type(value)]()
        if type(value) in kinds
        else 1.5
        if value is None
        else value + 1
        if abs(value) < 1e9
        else 1.5
    )


def warned(caplog, opts):
    """Messages of the logger "slowfast" while loading."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="slowfast"):
        load_cfg(None, opts)
    return [record.getMessage() for record in caplog.records if record.name == "slowfast"]


def refusal(opts):
    with pytest.raises(ConfigError) as caught:
        load_cfg(None, opts)
    (problem,) = caught.value.problems
    return problem


def test_defaults_are_silent(caplog):
    assert warned(caplog, []) == []


@pytest.mark.parametrize("key", sorted(set(legacy.NO_EFFECT) - {"RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP"}))
def test_a_key_without_effect_is_named_once(caplog, key):
    (message,) = warned(caplog, [key, another(legacy.NO_EFFECT[key])])
    assert message.startswith(f"command line: {key}: ") and "has no effect here" in message


@pytest.mark.parametrize("key", sorted(legacy.CHANGES_TRAINING))
def test_a_key_that_changes_training_is_refused_only_there(caplog, key):
    opts = [key, "caffe2" if key.endswith("CHECKPOINT_TYPE") else another(legacy.CHANGES_TRAINING[key])]
    problem = refusal([*opts, *NO_TEST])
    assert problem.startswith(f"command line: {key}: ")
    assert "is not implemented here and would change training; " in problem
    (message,) = warned(caplog, [*opts, *NO_TRAINING])
    assert key in message and "has no effect here" in message


@pytest.mark.parametrize(
    "key, value", [("TEST.CHECKPOINT_TYPE", "caffe2"), ("TEST.NUM_TEMPORAL_CLIPS", [3, 5]), ("MODEL.HEAD_ACT", "none")]
)
def test_a_key_that_changes_the_test_is_refused_only_there(caplog, key, value):
    assert "would change the test" in refusal([key, value, *NO_TRAINING])
    assert len(warned(caplog, [key, value, *NO_TEST])) == 1


@pytest.mark.parametrize("key", sorted(legacy.CHANGES_EVERY_JOB))
def test_a_key_that_changes_every_job_is_always_refused(key):
    opts = [key, another(legacy.CHANGES_EVERY_JOB[key])]
    assert "would change the result" in refusal([*opts, *NO_TRAINING, *NO_TEST])


def test_the_file_and_line_of_a_key_are_told(caplog, write):
    path = write("TRAIN: {ENABLE: False}\nMVIT:\n  DEPTH: 24\nMODEL: {FROZEN_BN: True}\n")
    with caplog.at_level(logging.WARNING, logger="slowfast"):
        load_cfg(path)
    assert sorted(record.getMessage() for record in caplog.records) == [
        f"{path}:3: MVIT.DEPTH: 24 has no effect here",
        f"{path}:4: MODEL.FROZEN_BN: True has no effect here",
    ]


def test_advice_names_the_key_to_use_instead(caplog):
    assert refusal(["SOLVER.CLIP_GRADIENT", 1.0]).endswith(
        "would change training; set it to -1.0; use SOLVER.CLIP_GRAD_L2NORM or SOLVER.CLIP_GRAD_VAL"
    )
    assert refusal(["MODEL.FROZEN_BN", True]).endswith("would change training; set it to False")
    assert "use DATA.CLASS_NAMES_PATH" in warned(caplog, ["TENSORBOARD.CLASS_NAMES_PATH", "names.json"])[0]


def test_tuples_and_lists_are_the_same_value(caplog):
    assert get(get_cfg(), "TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN") == ()
    assert warned(caplog, ["TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", []]) == []


def test_nothing_is_warned_about_when_loading_fails(caplog):
    with caplog.at_level(logging.WARNING, logger="slowfast"), pytest.raises(ConfigError):
        load_cfg(None, ["MVIT.DEPTH", 24, "TRAIN.BATCH_SIZE", 0])
    assert caplog.records == []
