"""Merge rules: those written down in config_defaults.json of the reference data (merge_rules), each by example."""

import math

import pytest

from slowfast.config import CfgNode, get_cfg
from slowfast.config.merge import Mismatch, apply_setting, coerce, decode, unknown_key
from slowfast.config.yaml_reader import Setting


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-4", 1e-4),
        ("5e-5", 5e-5),
        ("(1, 3, 3)", (1, 3, 3)),
        ("[1, 2]", [1, 2]),
        ("None", None),
        ("True", True),
        ("'2024'", "2024"),
        ("true", "true"),
        ("inf", "inf"),
        ("", ""),
        (" ", " "),
        (",", ","),
        ("configs/a.yaml", "configs/a.yaml"),
        ("rand-m9-mstd0.5-inc1", "rand-m9-mstd0.5-inc1"),
        ("2d", "2d"),
        ("C:\\data", "C:\\data"),
        ("'\\d'", "\\d"),  # an escape that Python warns about
        ("[" * 500, "[" * 500),
        ("{[]: 1}", "{[]: 1}"),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"),
    ],
)
def test_strings_are_tried_as_literals(text, value, recwarn):
    assert decode(text) == value and type(decode(text)) is type(value)
    assert not recwarn


@pytest.mark.parametrize("value", [3, None, [1, "2"], 1.5, False])
def test_other_values_are_not_decoded(value):
    assert decode(value) is value


@pytest.mark.parametrize(
    "value, default, expected",
    [
        (3, 8, 3),
        (2.5, 0.1, 2.5),
        (1, 0.1, 1.0),  # the one rule that is friendlier than upstream's
        (False, True, False),
        ("a", "b", "a"),
        (None, 8, None),
        (None, "b", None),
        (1.0, None, 1.0),
        ("x", None, "x"),
        ((1, 2), [0], [1, 2]),
        ([1, 2], (0,), (1, 2)),
        ([None, "a", 1.0], [1], [None, "a", 1.0]),  # element types are not checked
        (math.inf, 0.0, math.inf),
    ],
)
def test_types_that_pass(value, default, expected):
    result = coerce(value, default)
    assert result == expected and type(result) is type(expected)


@pytest.mark.parametrize(
    "value, default",
    [
        (1.0, 8),
        (True, 8),
        (True, 0.1),
        (0, True),
        (1, True),
        ("true", True),
        ("abc", 8),
        ("abc", 0.1),
        (5, "b"),
        (1.5, "b"),
        (True, "b"),
        ("a", [1]),
        (3, [1]),
        ([1], 3),
        ([1], "b"),
        ({"A": 1}, "b"),
        ({}, 3),
        ({"A": 1}, None),
        ({1, 2}, None),
        (b"bytes", "b"),
        (10**400, 0.1),
    ],
)
def test_types_that_do_not(value, default):
    with pytest.raises(Mismatch):
        coerce(value, default)


@pytest.mark.parametrize("value", [None, 3, "x", [1]])
def test_a_section_takes_no_value(value):
    with pytest.raises(Mismatch, match=r"expected a section of keys \(ENABLE, "):
        coerce(value, get_cfg().TRAIN)


def test_a_mismatch_says_key_got_and_expected():
    cfg = get_cfg()
    problem = apply_setting(cfg, Setting("TRAIN.BATCH_SIZE", "3.5", "there"), cfg)
    assert problem == "TRAIN.BATCH_SIZE: got 3.5 (float), expected int like 64"
    assert cfg.TRAIN.BATCH_SIZE == 64


@pytest.mark.parametrize(
    "key, value, hint",
    [
        ("TRAIN.ENABLE", "true", "write True or False"),
        ("OUTPUT_DIR", "2024", "quote it twice: '\"2024\"'"),
        ("PROJECTS", "[projects.cast]", "words in a list need quotes"),
    ],
)
def test_a_mismatch_says_what_to_write(key, value, hint):
    cfg = get_cfg()
    assert hint in apply_setting(cfg, Setting(key, value, ""), cfg)


def test_the_text_of_a_number_can_be_meant():
    cfg = get_cfg()
    assert apply_setting(cfg, Setting("OUTPUT_DIR", "'2024'", ""), cfg) is None
    assert cfg.OUTPUT_DIR == "2024"


def test_types_are_those_of_the_defaults_not_of_earlier_settings():
    cfg, defaults = get_cfg(), get_cfg()
    assert apply_setting(cfg, Setting("TRAIN.BATCH_SIZE", None, ""), defaults) is None
    assert "expected int" in apply_setting(cfg, Setting("TRAIN.BATCH_SIZE", "many", ""), defaults)
    assert apply_setting(cfg, Setting("SOLVER.CLIP_GRAD_VAL", "1.5", ""), defaults) is None
    assert apply_setting(cfg, Setting("SOLVER.CLIP_GRAD_VAL", 2, ""), defaults) is None
    assert cfg.SOLVER.CLIP_GRAD_VAL == 2


@pytest.mark.parametrize(
    "key, nearest",
    [
        ("TRIAN.ENABLE", "TRAIN.ENABLE"),
        ("TRAIN.BATCHSIZE", "TRAIN.BATCH_SIZE"),
        ("train.batch_size", "TRAIN.BATCH_SIZE"),
        ("TRAIN.NUM_CLASSES", "MODEL.NUM_CLASSES"),
        ("NUM_GPU", "NUM_GPUS"),
        ("DATA.USE_XVIT_AUGMENTATION", "DATA.USE_XVIT_AGUMENTATION"),  # upstream's own spelling
        ("DATALOADER.NUM_WORKERS", "DATA_LOADER.NUM_WORKERS"),
        ("TRAIN.ENABLE.X", "TRAIN.ENABLE"),
    ],
)
def test_an_unknown_key_names_the_nearest(key, nearest):
    cfg = get_cfg()
    problem = apply_setting(cfg, Setting(key, 1, ""), cfg)
    assert problem == f"{key}: there is no such key; did you mean {nearest}?"


def test_an_unknown_key_like_no_other():
    assert unknown_key(CfgNode({"ABC": 1}), "zzz") == "zzz: there is no such key; no key has a similar name"
