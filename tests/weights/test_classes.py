"""Rows of a checkpoint's classifier by class names, aliases or an index file; what is refused."""

import pytest

from slowfast.config import get_cfg
from slowfast.utils.errors import UserError
from slowfast.weights import NEW, class_rows


@pytest.fixture
def asked(tmp_path):
    """Function (files by key of WEIGHTS, names here) -> class_rows of such a config."""

    def ask(here="run\njump high\nsit", num_classes=3, **texts):
        cfg = get_cfg()
        cfg.MODEL.NUM_CLASSES = num_classes
        if here:
            (tmp_path / "here.csv").write_text(here)
            cfg.DATA.CLASS_NAMES_PATH = str(tmp_path / "here.csv")
        else:
            cfg.DATA.PATH_TO_DATA_DIR = str(tmp_path)
        for key, text in texts.items():
            (tmp_path / key).write_text(text)
            cfg.WEIGHTS[f"CLASS_{key}_PATH"] = str(tmp_path / key)
        return class_rows(cfg)

    return ask


def test_nothing_is_mapped_unasked(asked):
    assert asked() == (None, [])


def test_names_in_any_order_and_spelling(asked):
    rows, texts = asked(NAMES='id,name\n0,stand\n1,"Sit"\n2,Jump_High\n3,RUN')
    assert rows == [3, 2, 1]
    assert len(texts) == 1 and texts[0].startswith("3 of 3 classes")


def test_aliases_and_classes_that_start_anew(asked):
    rows, texts = asked(NAMES="leap\nrun", ALIASES="# ours,theirs\njump high,leap\n\nsit,\n")
    assert rows == [1, 0, NEW]
    assert texts[0].startswith("2 of 3") and texts[1] == "classes that start anew: sit"


def test_two_classes_may_have_one_ancestor_by_alias(asked):
    assert asked(NAMES="run\njump high", ALIASES="sit,run")[0] == [0, 1, 0]


def test_an_alias_goes_before_the_same_name(asked):
    assert asked(NAMES="run\njump high\nsit\nsit down", ALIASES="sit,sit down")[0] == [0, 1, 3]


def test_classes_beside_the_lists(asked, tmp_path):
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    assert asked(here="", NAMES="c\nb\na\n")[0] == [2, 1, 0]


def test_index_files(asked):
    for text in ("5\n0\n-1\n", "5 0 -1", "[5, 0, -1]", "5,0,-1"):
        assert asked(INDEX=text)[0] == [5, 0, NEW]


@pytest.mark.parametrize(
    "texts, told",
    [
        ({"NAMES": "run\nsit\njump hihg"}, r"1 of 3 classes are not in .*NAMES: 'jump high' \(nearest: 'jump hihg'\)"),
        ({"NAMES": "run\nsit\nRun\njump high"}, "'Run' stands for class 0 and for class 2"),
        ({"NAMES": "1,run\n2,sit\n3,jump high"}, "class 0 is missing; numbers must go from 0 to 2"),
        ({"here": "run\nsit\nrun", "NAMES": "run"}, "here.csv: 'run' stands for class 0 and for class 2"),
        ({"NAMES": "run", "num_classes": 4}, "names 3 classes, MODEL.NUM_CLASSES is 4"),
        ({"NAMES": "run\nleap\nsit", "ALIASES": "jumps,leap"}, "ALIASES:1: 'jumps' is no class of this run"),
        ({"NAMES": "run\nleap\nsit", "ALIASES": "jump high,leep"}, "'leep' is no class of the checkpoint .*'leap'"),
        ({"NAMES": "run\nleap", "ALIASES": "sit,run\nsit,leap"}, "ALIASES:2: 'sit' has an alias already"),
        ({"NAMES": "run\nleap", "ALIASES": "sit"}, "ALIASES:1: got 'sit', expected"),
        ({"ALIASES": "sit,run"}, "ALIASES_PATH needs WEIGHTS.CLASS_NAMES_PATH"),
        ({"NAMES": "run", "INDEX": "0 1 2"}, "set one of them ''"),
        ({"here": "", "NAMES": "run"}, "set DATA.CLASS_NAMES_PATH"),
        ({"INDEX": "0 1"}, "has 2 numbers, MODEL.NUM_CLASSES is 3"),
        ({"INDEX": "0 1 x"}, "no list of whole numbers"),
        ({"INDEX": "0 1 -2"}, "holds -2"),
        ({"INDEX": "[0, 1, 2.5]"}, "holds 2.5"),
        ({"INDEX": "0 7 7"}, "names row 7 for several classes"),
    ],
)
def test_refusals(asked, texts, told):
    with pytest.raises(UserError, match=told):
        asked(**texts)
