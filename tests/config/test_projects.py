"""PROJECTS: packages are imported, add keys, and are named when they are not there."""

import sys

import pytest

from slowfast.config import get_cfg, import_projects, load_cfg
from slowfast.utils.errors import ConfigError


@pytest.fixture
def project(write, tmp_path, monkeypatch):
    """project(name, text) makes an importable package of that name; all are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def function(name, text):
        made.extend((name, name.partition(".")[0]))
        write(text, f"{name.replace('.', '/')}/__init__.py")

    yield function
    for name in made:
        sys.modules.pop(name, None)


ADDS_KEYS = """
from slowfast.config import CfgNode

def add_config(cfg):
    cfg.CAST = CfgNode()
    cfg.CAST.WIDTH = 64
    cfg.CAST.BLOCKS = [1, 2]
"""


def test_a_project_adds_keys_before_the_file_is_merged(project, write):
    project("some_projects.adds_keys", ADDS_KEYS)
    cfg = load_cfg(write("CAST: {WIDTH: 8}\nPROJECTS: [some_projects.adds_keys]\n"), ["CAST.BLOCKS", "(3,)"])
    assert cfg.PROJECTS == ["some_projects.adds_keys"]
    assert (cfg.CAST.WIDTH, cfg.CAST.BLOCKS) == (8, [3])
    with pytest.raises(AttributeError):
        cfg.CAST.WIDTH = 3


def test_a_base_or_an_override_may_name_projects_and_the_last_counts(project, write):
    project("adds_keys_a", ADDS_KEYS)
    project("adds_keys_b", ADDS_KEYS.replace("CAST", "OTHER"))
    write("PROJECTS: [adds_keys_a]", "base.yaml")
    path = write("_BASE_: base.yaml\n")
    assert load_cfg(path).CAST.WIDTH == 64
    cfg = load_cfg(path, ["PROJECTS", "['adds_keys_b']"])
    assert cfg.OTHER.WIDTH == 64 and "CAST" not in cfg


def test_keys_of_a_project_obey_the_same_rules(project, write):
    project("adds_keys", ADDS_KEYS)
    with pytest.raises(ConfigError) as caught:
        load_cfg(write("PROJECTS: [adds_keys]\nCAST: {WIDTH: wide, WIDHT: 3}\n"))
    assert len(caught.value.problems) == 2
    assert "CAST.WIDTH: got 'wide' (str), expected int like 64" in str(caught.value)
    assert "CAST.WIDHT: there is no such key; did you mean CAST.WIDTH?" in str(caught.value)


def test_a_section_of_fvcores_class_works(project):
    project("adds_node", ADDS_KEYS.replace("slowfast.config", "fvcore.common.config"))
    cfg = load_cfg(None, ["PROJECTS", ["adds_node"], "CAST.WIDTH", "3"])
    assert cfg.CAST.WIDTH == 3 and cfg.CAST.is_frozen()


def test_import_projects_imports_each_once_and_adds_no_keys(project):
    project("adds_keys", ADDS_KEYS)
    project("plain", "")
    cfg = get_cfg()
    cfg.PROJECTS = ["adds_keys", "plain", "adds_keys"]
    assert [module.__name__ for module in import_projects(cfg)] == ["adds_keys", "plain"]
    assert {"adds_keys", "plain"} <= set(sys.modules) and "CAST" not in cfg


def test_without_the_key_nothing_is_imported(project):
    project("plain", "")
    load_cfg(None)
    assert "plain" not in sys.modules


@pytest.mark.parametrize(
    "name, message",
    [
        ("not_there", "cannot import 'not_there': No module named 'not_there'; install the package or put"),
        ("there.not_there", "cannot import 'there.not_there': No module named 'there.not_there'; install the package"),
        ("gone.below", "cannot import 'gone.below': No module named 'gone'; install the package"),
        ("needs_other", "No module named 'another_package'; 'needs_other' needs it; install it"),
        ("wants_name", "cannot import 'wants_name': cannot import name 'nothing' from 'json'"),
        ("projects/cast", "'projects/cast' is not a package name; write it with dots, such as 'projects.cast'"),
        ("..up", "'..up' is not a package name"),
        ("", "'' is not a package name"),
        (3, "3 is not a package name"),
    ],
)
def test_a_project_that_cannot_be_imported(project, name, message):
    project("there", "")
    project("needs_other", "import another_package")
    project("wants_name", "from json import nothing")
    with pytest.raises(ConfigError, match="PROJECTS: ") as caught:
        load_cfg(None, ["PROJECTS", [name]])
    assert message in str(caught.value)


def test_a_mistake_inside_a_project_keeps_its_traceback(project):
    project("broken", "1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_cfg(None, ["PROJECTS", ["broken"]])


def test_keys_of_a_missing_project_are_not_called_unknown(write):
    path = write("PROJECTS: [not_there_a, not_there_b]\nCAST: {WIDTH: 8}\nTRAIN: {BATCH_SIZE: x}\n")
    with pytest.raises(ConfigError) as caught:
        load_cfg(path, ["CAST.DEPTH", "3"])
    assert [problem.split(": ")[1] for problem in caught.value.problems[:2]] == [
        "cannot import 'not_there_a'",
        "cannot import 'not_there_b'",
    ]
    assert len(caught.value.problems) == 3 and "TRAIN.BATCH_SIZE" in caught.value.problems[2]


@pytest.mark.parametrize("value", ["projects.cast", "[projects.cast]", 3])
def test_projects_is_a_list(value):
    with pytest.raises(ConfigError) as caught:
        load_cfg(None, ["PROJECTS", value])
    assert len(caught.value.problems) == 1
    assert "command line: PROJECTS: got " in str(caught.value) and "expected list like []" in str(caught.value)
