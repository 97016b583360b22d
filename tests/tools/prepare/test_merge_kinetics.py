"""Merging Kinetics sets: small lists with every kind of overlap, worked out by hand."""

import csv
import json
import re
import subprocess
import sys

import pytest

from slowfast.config import get_cfg
from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.utils.errors import UserError
from slowfast.weights import class_rows
from tools.prepare.merge_kinetics import main


def video(letter):
    """A YouTube id made of one letter."""
    return letter * 9 + "-_"


def lines(*pairs):
    return "".join(f"videos/{video(letter)}_000001_000011.mp4 {label}\n" for letter, label in pairs)


@pytest.fixture
def sets(tmp_path):
    """Two sets: k4 as paths and numbers, k6 as an official table with a class more and one that is called otherwise."""
    files = {
        "k4/classes.txt": "run\nsit\nwalk dog\n",
        # b twice in training; c is in its own validation; d in the other's; e in the other's test
        "k4/train.csv": lines(("a", 0), ("b", 1), ("b", 1), ("c", 2), ("d", 0), ("e", 1), ("f", 2)),
        "k4/val.csv": lines(("c", 2), ("g", 0)),
        "k6/classes.txt": '0,"Sit"\n1,jump\n2,dog walking\n3,run\n',
        # a and f are also k4's: a with another class; g is in k4's validation, at another time of the video
        "k6/train.csv": "label,youtube_id,time_start,time_end,split\n"
        + "".join(
            f"{label},{video(letter)},{start},{start + 10},train\n"
            for letter, label, start in (("a", "jump", 1), ("f", "dog walking", 1), ("g", "run", 55), ("h", "jump", 1))
        ),
        "k6/val.csv": "label,youtube_id,time_start,time_end,split\n"
        + "".join(f"{label},{video(letter)},1,11,val\n" for letter, label in (("d", "run"), ("c", "dog walking"))),
        "k6/test.csv": "youtube_id,time_start,time_end,split\n" + f"{video('e')},1,11,test\n{video('g')},1,11,test\n",
        "aliases.csv": "dog walking,walk dog\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def merge(sets, capsys):
    """Function (further words) -> what the tool prints; it raises what the tool refuses."""

    def run(*further, aliases=True):
        words = ["--set", f"k4={sets / 'k4'}", "--set", f"k6={sets / 'k6'}", "--out", sets / "out", *further]
        words += ["--aliases", sets / "aliases.csv"] if aliases else []
        assert main(list(map(str, words))) == 0
        return capsys.readouterr().out

    return run


def rows(path):
    return [(record.path.rpartition("/")[2][0], record.label) for record in read_kinetics_csv(path)]


def test_every_kind_of_overlap(merge, sets):
    printed = merge()
    out = sets / "out"
    assert (out / "classes.txt").read_text() == "0,jump\n1,run\n2,sit\n3,walk dog\n"
    assert rows(out / "train.csv") == [("a", 1), ("b", 2), ("f", 3), ("h", 0)]
    assert rows(out / "val.csv") == [("c", 3), ("g", 1), ("d", 1)]
    assert (out / "k4_rows.txt").read_text().split() == ["1", "2", "3"]
    assert (out / "k6_rows.txt").read_text().split() == ["2", "0", "3", "1"]
    with open(out / "removed.csv", newline="") as file:
        removed = [(r["set"], r["split"], r["path"].rpartition("/")[2][0], r["reason"]) for r in csv.DictReader(file)]
    assert removed == [
        ("k6", "val", "c", "duplicate across sets"),
        ("k4", "train", "b", "duplicate within k4"),
        ("k4", "train", "c", "in the val list of k4"),
        ("k4", "train", "d", "in the val list of k6"),
        ("k4", "train", "e", "in the test list of k6"),
        ("k6", "train", "a", "duplicate across sets"),
        ("k6", "train", "f", "duplicate across sets"),
        ("k6", "train", "g", "in the val list of k4"),
    ]
    assert json.loads((out / "report.json").read_text()) == {
        "classes": {"merged": 4, "k4": 3, "k6": 4},
        "listed": {"k4": {"train": 7, "val": 2}, "k6": {"train": 4, "val": 2, "test": 2}},
        "removed": {
            "train": {
                "duplicate within k4": 1,
                "in the val list of k4": 2,
                "in the val list of k6": 1,
                "in the test list of k6": 1,
                "duplicate across sets": 2,
            },
            "val": {"duplicate across sets": 1},
        },
        "same_video_other_class": 1,
        "train": 4,
        "val": 3,
        "classes_without_training_clips": [],
    }
    assert "MODEL.NUM_CLASSES 4" in printed
    first = (out / "train.csv").read_text()
    merge()
    assert (out / "train.csv").read_text() == first


def test_without_aliases_the_two_names_stay_two_classes(merge, sets):
    merge(aliases=False)
    names = (sets / "out/classes.txt").read_text().splitlines()
    assert names == ["0,dog walking", "1,jump", "2,run", "3,sit", "4,walk dog"]
    report = json.loads((sets / "out/report.json").read_text())
    assert report["same_video_other_class"] == 3 and report["classes_without_training_clips"] == ["dog walking"]


def test_paths_of_official_tables(merge, sets):
    merge("--clip_name", "{split}/{label}/{id}_{start}.mp4")
    last = (sets / "out/train.csv").read_text().splitlines()[-1]
    assert last.startswith(f"{sets}/k6/train/jump/{video('h')}_1.mp4")


def test_its_index_files_map_a_checkpoint_of_the_merged_set(merge, sets):
    merge()
    cfg = get_cfg()
    cfg.MODEL.NUM_CLASSES, cfg.WEIGHTS.CLASS_INDEX_PATH = 4, str(sets / "out/k6_rows.txt")
    assert class_rows(cfg)[0] == [2, 0, 3, 1]


@pytest.mark.parametrize(
    "file, text, told",
    [
        ("k4/classes.txt", "run\nsit\nRun\n", "'Run' stands for class 0 and for class 2"),
        ("k4/classes.txt", "run\nsit\n", "k4/train.csv:"),
        ("k4/classes.txt", None, "classes.txt is not there"),
        ("k4/val.csv", None, "val.csv is not there"),
        ("k4/train.csv", "videos/clip1.mp4 0\n", "has no YouTube id in its name"),
        (
            "k6/val.csv",
            "label,youtube_id,time_start,time_end\nhop,aaaaaaaaaaa,1,2\n",
            "val.csv:2: 'hop' is no class of k6",
        ),
        ("k6/val.csv", "label,youtube_id,time_start,time_end\nrun,aaa,1,2\n", "val.csv:2: 'aaa' is no YouTube id"),
        ("k6/val.csv", "label,youtube_id,time_start,time_end\nrun,aaaaaaaaaaa,x,2\n", "must be seconds"),
        ("aliases.csv", "dog walk,walk dog\n", "'dog walk' is no class of any set (nearest: 'dog walking')"),
        ("aliases.csv", "dog walking,walk dog\nwalk dog,sit\n", "must lead to a name that is no alias itself"),
        ("aliases.csv", "jump,run\n", "two classes of k6 become 'run'"),
    ],
)
def test_refusals(merge, sets, file, text, told):
    (sets / file).unlink()
    if text is not None:
        (sets / file).write_text(text)
    with pytest.raises(UserError, match=re.escape(told)):
        merge()
    assert not (sets / "out/train.csv").exists()


def test_lists_are_not_overwritten(merge, sets):
    with pytest.raises(UserError, match="is the folder of a set"):
        merge("--out", sets / "k4")


def test_nothing_left(merge, sets):
    for name in ("k4", "k6"):
        (sets / name / "train.csv").write_text((sets / name / "val.csv").read_text())
    with pytest.raises(UserError, match="nothing is left to train"):
        merge()


def test_the_command(repo, sets):
    command = [sys.executable, "tools/prepare/merge_kinetics.py", "--out", str(sets / "out"), "--set", f"k4={sets}/k5"]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 2 and "classes.txt is not there" in done.stderr and "Traceback" not in done.stderr
