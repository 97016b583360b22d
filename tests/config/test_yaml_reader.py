"""YAML files: lines, bases, keys given twice, and that nothing in a file runs."""

import os
import re

import pytest

from slowfast.config.yaml_reader import read_yaml
from slowfast.utils.errors import ConfigError


def values(reading):
    return {setting.key: setting.value for setting in reading.settings}


def refused(path, *patterns):
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    message = str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, message), message
    assert len(caught.value.problems) == 1
    return message


def test_sections_become_dotted_keys_with_their_lines(write):
    path = write(
        """\
        # a comment
        TRAIN:
          BATCH_SIZE: 4
        XVIT:
          BACKBONE:
            DROP_PATH_RATE: 1e-1
          LOCATIONS_LIST: [1,
            2]
        TASK: ""
        """
    )
    assert [(s.key, s.value, s.origin) for s in read_yaml(path).settings] == [
        ("TRAIN.BATCH_SIZE", 4, f"{path}:3"),
        ("XVIT.BACKBONE.DROP_PATH_RATE", "1e-1", f"{path}:6"),
        ("XVIT.LOCATIONS_LIST", [1, 2], f"{path}:7"),
        ("TASK", "", f"{path}:9"),
    ]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_a_file_without_content_sets_nothing(write, text):
    assert values(read_yaml(write(text))) == {}


def test_bases_apply_first(write):
    write("A: {X: 1, Y: 1, Z: 1}", "deep/er/grand.yaml")
    write("_BASE_: er/grand.yaml\nA: {Y: 2, Z: 2}", "deep/base.yaml")
    path = write("A: {Z: 3}\n_BASE_: deep/base.yaml\n")
    reading = read_yaml(path)
    assert values(reading) == {"A.X": 1, "A.Y": 2, "A.Z": 3}
    assert [os.path.basename(s.origin) for s in reading.settings if s.key == "A.Z"] == [
        "grand.yaml:1",
        "base.yaml:2",
        "cfg.yaml:1",
    ]


def test_bases_may_be_absolute_under_home_or_several(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    absolute = write("A: 1\nB: 1", "x/absolute.yaml")
    write("B: 2", "home/mine.yaml")
    assert values(read_yaml(write(f"_BASE_: {absolute}"))) == {"A": 1, "B": 1}
    assert values(read_yaml(write("_BASE_: ~/mine.yaml"))) == {"B": 2}
    assert values(read_yaml(write(f"_BASE_: [{absolute}, ~/mine.yaml]\nC: 3"))) == {"A": 1, "B": 2, "C": 3}


def test_two_ways_to_the_same_base_are_no_cycle(write):
    write("A: 1", "root.yaml")
    write("_BASE_: root.yaml", "left.yaml")
    write("_BASE_: root.yaml", "right.yaml")
    assert values(read_yaml(write("_BASE_: [left.yaml, right.yaml]"))) == {"A": 1}


def test_cycles(write):
    refused(write("_BASE_: cfg.yaml"), r"cfg.yaml -> cfg.yaml")
    write("A: 1\n_BASE_: ./sub/../one.yaml", "two.yaml")
    write("_BASE_: two.yaml", "sub/unused.yaml")
    path = write("_BASE_: two.yaml", "one.yaml")
    refused(path, r"two.yaml:2: _BASE_: the files lead back to themselves: one.yaml -> two.yaml -> one.yaml")
    refused(write("_BASE_: one.yaml", "start.yaml"), r"themselves: one.yaml -> two.yaml -> one.yaml")


def test_missing_files_say_who_named_them(write, tmp_path):
    refused(tmp_path / "no.yaml", r"--cfg: no file '.*no.yaml' \(working directory: ")
    refused(write("TASK: ''\n_BASE_: gone.yaml"), r"cfg.yaml:2: _BASE_: no file '.*gone.yaml'")
    refused(tmp_path / "x.yaml" / "y.yaml", "no file|cannot read")
    (tmp_path / "folder.yaml").mkdir()
    refused(tmp_path / "folder.yaml", r"cannot read '.*folder.yaml': Is a directory")


@pytest.mark.parametrize("base", ["3", "''", "[a.yaml, 3]", "{a: b}", "null"])
def test_a_base_is_a_path(write, base):
    write("A: 1", "a.yaml")
    refused(write(f"_BASE_: {base}"), r"cfg.yaml:1: _BASE_: got .*, expected the path of a .yaml file")


@pytest.mark.parametrize("name", ["cfg.py", "cfg.yml", "cfg.json", "cfg.yaml.py", "cfg"])
def test_only_yaml_files(write, tmp_path, name):
    marker = tmp_path / "ran"
    path = write(f"open({str(marker)!r}, 'w')\ncfg = {{'TASK': ''}}\n", name)
    refused(path, "is not a .yaml file")
    refused(write(f"_BASE_: {name}", "outer.yaml"), "outer.yaml:1: _BASE_: .* is not a .yaml file")
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    [
        "TASK: !!python/object/apply:os.mkdir ['{marker}']",
        "TASK: !!python/object/new:os.mkdir ['{marker}']",
        "PROJECTS: [a, !!python/object/apply:os.mkdir ['{marker}']]",
        "TRAIN: !!python/object/apply:os.mkdir {{args: ['{marker}']}}",
        "!!python/object/apply:os.mkdir ['{marker}']",
        "? !!python/object/apply:os.mkdir ['{marker}']\n: 1",
        "_BASE_: !!python/object/apply:os.mkdir ['{marker}']",
        "TASK: !!python/name:os.mkdir",
        "TASK: !!python/tuple [1, 2]",
        "TASK: !env HOME",
    ],
)
def test_tags_are_refused_and_nothing_runs(write, tmp_path, text):
    marker = tmp_path / "ran"
    refused(write(text.format(marker=marker)), r"cfg.yaml:1: ", "plain values|holds 'KEY: value' lines|a key is a word")
    assert not marker.exists()


def test_the_message_about_a_tag_names_key_and_tag(write):
    message = refused(write("TRAIN:\n  DATASET: !!python/name:os.mkdir\n"))
    assert "cfg.yaml:2: TRAIN.DATASET: " in message
    assert "python/name:os.mkdir" in message and "cannot run code" in message


@pytest.mark.parametrize(
    "text, line, problem",
    [
        ("A: 1\nB: [1, 2\nC: 3\n", 3, "','"),
        ("A:\n\tB: 1\n", 2, r"'\t'|\\t|token"),
        ("A: 1\n  B: 2\n", 2, "mapping values"),
        ("A: 1\n---\nB: 2\n", 2, "document"),
        ("A: *nowhere\n", 1, "undefined alias"),
        ("- 1\n- 2\n", 1, "'KEY: value' lines"),
        ("just words\n", 1, "'KEY: value' lines"),
        ("TRAIN:\n  1: 2\n", 2, "a key is a word, got '1'"),
        ("TRAIN.ENABLE: True\n", 1, "write 'TRAIN:' and below it '  ENABLE: ...'"),
        ("A: 2024-99-99\n", 1, "A: month must be"),
        ("A: &x {B: *x}\n", 1, "contains itself"),
        ("A: &x [*x]\n", 1, "recursive"),
    ],
)
def test_unreadable_yaml_says_the_line(write, text, line, problem):
    refused(write(text), rf"cfg.yaml:{line}: ", problem)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "cfg.yaml"
    path.write_bytes(b"TASK: \xff\xfe\x00\n")
    refused(path, "cfg.yaml: not readable as YAML: ")


def test_of_a_key_given_twice_the_last_counts_and_is_named(write):
    path = write("SOLVER:\n  LAYER_DECAY: 0.75\n  BASE_LR: 1.0\n  LAYER_DECAY: 0.65\n")
    reading = read_yaml(path)
    assert values(reading) == {"SOLVER.LAYER_DECAY": 0.65, "SOLVER.BASE_LR": 1.0}
    assert reading.remarks == [f"{path}:4: SOLVER.LAYER_DECAY already stands in line 2; the last one counts"]


def test_of_a_section_given_twice_the_last_counts_and_is_named(write):
    reading = read_yaml(write("A: {X: 1}\nB: 1\nA: {Y: 2}\n"))
    assert values(reading) == {"A.Y": 2, "B": 1}
    assert "cfg.yaml:3: A already stands in line 1" in reading.remarks[0] and len(reading.remarks) == 1


def test_anchors_and_merges_are_no_duplicates(write):
    reading = read_yaml(write("A: &a {X: 1, Y: 1}\nB: &b {<<: *a, Y: 2}\nC: *b\n"))
    assert values(reading) == {"A.X": 1, "A.Y": 1, "B.X": 1, "B.Y": 2, "C.X": 1, "C.Y": 2}
    assert reading.remarks == []


def test_an_empty_section_and_an_empty_value_differ(write):
    assert values(read_yaml(write("A: {}\nB:\n"))) == {"A": {}, "B": None}
