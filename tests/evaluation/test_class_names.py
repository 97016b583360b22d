"""Reading class names, and refusing files that do not fit."""

from types import SimpleNamespace

import pytest

from slowfast.config import load_cfg
from slowfast.evaluation.class_names import find_class_names, read_class_names
from slowfast.evaluation.results import RunRecord
from slowfast.utils.errors import UserError


def test_without_a_file_the_labels_are_the_names():
    assert read_class_names("", 3) == ["0", "1", "2"]


def test_one_name_a_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffopening a door\r\n größer \nC, D\n\n".encode())
    assert read_class_names(path, 3) == ["opening a door", "größer", "C, D"]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"a\nb\n", "has 2 lines, MODEL.NUM_CLASSES is 3"),
        (b"a\n\nb\n", "line 2 of .* is empty"),
        (b"\xff\xfea\nb\nc", "cannot read"),
    ],
)
def test_file_that_does_not_fit_is_refused(tmp_path, content, match):
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"DATA.CLASS_NAMES_PATH: .*{match}"):
        read_class_names(path, 3)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"DATA.CLASS_NAMES_PATH: cannot read .*nowhere"):
        read_class_names(tmp_path / "nowhere.txt", 3)


def test_the_lists_own_names_are_found(tmp_path):
    assert find_class_names("", "") == find_class_names("", tmp_path) == ""
    (tmp_path / "classes.txt").write_text("a\nb\n")
    assert find_class_names("", tmp_path) == str(tmp_path / "classes.txt")
    assert find_class_names("names.txt", tmp_path) == "names.txt"


def test_a_folder_of_class_folders_names_its_own(tmp_path):
    dataset = SimpleNamespace(records=[], labels=[], num_views=1, class_names=["jump", "run"])
    cfg = load_cfg(None, ["MODEL.NUM_CLASSES", "2"])
    assert RunRecord.from_cfg(cfg, dataset, None, 1).class_names == ["jump", "run"]
    (tmp_path / "names.txt").write_text("a\nb\n")
    cfg = load_cfg(None, ["MODEL.NUM_CLASSES", "2", "DATA.CLASS_NAMES_PATH", str(tmp_path / "names.txt")])
    assert RunRecord.from_cfg(cfg, dataset, None, 1).class_names == ["a", "b"]
