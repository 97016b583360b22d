"""Where lines come from: configs, lists, folders; what is wrong with lists is told, not raised."""

import os

import pytest

from slowfast.config import get_cfg
from slowfast.datasets.scan.sources import from_cfg, from_csv, from_folder
from slowfast.utils.errors import UserError


@pytest.fixture
def videos(tmp_path):
    """Folder with empty files clips/0.mp4 to clips/3.mp4; opening them is not what is tested here."""
    (tmp_path / "clips").mkdir()
    for number in range(4):
        (tmp_path / f"clips/{number}.mp4").touch()
    return tmp_path


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def lines_of(records):
    return [(os.path.basename(record.path), record.label) for record in records]


def test_csv(videos):
    train = write(videos / "train.csv", "clips/0.mp4 0", "clips/1.mp4 5")
    val = write(videos / "my val.csv", "clips/2.mp4 1")
    source = from_csv([str(train), str(val)], str(videos), num_classes=4)
    assert {split: lines_of(records) for split, records in source.splits.items()} == {
        "train": [("0.mp4", 0), ("1.mp4", 5)],
        "my val": [("2.mp4", 1)],
    }
    assert source.num_classes == 4
    assert source.splits["train"][0].path == str(videos / "clips/0.mp4")
    assert source.warnings == []


def test_lines_that_do_not_fit_are_told(videos):
    train = write(videos / "train.csv", "clips/0.mp4 0", "clips/1.mp4", "clips/2.mp4 -1", "clips/3.mp4 1")
    source = from_csv([train])
    assert lines_of(source.splits["train"]) == [("0.mp4", 0), ("3.mp4", 1)]
    assert any("train.csv:2" in warning for warning in source.warnings)
    assert any("train.csv:3" in warning for warning in source.warnings)


def test_class_names(videos):
    train = write(videos / "train.csv", "clips/0.mp4 0", "clips/1.mp4 run")
    names = write(videos / "classes.txt", "jump", "run", "sit")
    source = from_csv([train], class_names=names)
    assert lines_of(source.splits["train"]) == [("0.mp4", 0), ("1.mp4", 1)]
    assert (source.names, source.num_classes) == ({0: "jump", 1: "run", 2: "sit"}, 3)


def test_two_lists_of_one_name(videos):
    (videos / "other").mkdir()
    lists = [write(folder / "train.csv", "clips/0.mp4 0") for folder in (videos, videos / "other")]
    with pytest.raises(UserError, match="two lists are named train"):
        from_csv(lists)


def settings(videos, **jobs):
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR = str(videos)
    cfg.TRAIN.ENABLE, cfg.TEST.ENABLE = jobs.get("train", True), jobs.get("test", True)
    cfg.MODEL.NUM_CLASSES = 4
    cfg.DATA.NUM_FRAMES = 11
    cfg.freeze()
    return cfg


def test_cfg(videos):
    write(videos / "train.csv", "clips/0.mp4 0", "clips/1.mp4 9", "nonsense")
    write(videos / "val.csv", "clips/2.mp4 1")
    cfg = settings(videos)
    source = from_cfg(cfg)
    assert {split: lines_of(records) for split, records in source.splits.items()} == {
        "train": [("0.mp4", 0), ("1.mp4", 9)],
        "val": [("2.mp4", 1)],
        "test": [("2.mp4", 1)],
    }
    assert (source.num_classes, source.min_frames, source.reader) == (4, 11, "auto")
    assert any("train.csv:3" in warning for warning in source.warnings)
    assert (cfg.MODEL.NUM_CLASSES, cfg.DATA.SKIP_BAD_LINES) == (4, False)


def test_cfg_of_two_heads(videos):
    (videos / "train.csv").write_text("video,verb,noun\nclips/0.mp4,3,7\n")
    (videos / "val.csv").write_text("clips/1.mp4,9,7\nclips/2.mp4,1,7\n")
    cfg = get_cfg()
    cfg.DATA.PATH_TO_DATA_DIR, cfg.TRAIN.DATASET, cfg.TEST.DATASET = str(videos), "epic_kitchens", "epic_kitchens"
    cfg.MODEL.HEAD_CLASSES, cfg.MODEL.NUM_CLASSES = [8, 9], 17
    cfg.freeze()
    source = from_cfg(cfg)
    assert lines_of(source.splits["val"]) == [("1.mp4", (9, 7)), ("2.mp4", (1, 7))]
    assert source.num_classes == (8, 9)


def test_splits_that_no_job_reads_may_be_missing(videos):
    write(videos / "val.csv", "clips/2.mp4 1")
    source = from_cfg(settings(videos, train=False))
    assert list(source.splits) == ["val", "test"]
    assert source.notes[0].startswith("train was not looked at")
    with pytest.raises(UserError, match=r"train\.csv"):
        from_cfg(settings(videos))


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folder_of_classes(tmp_path):
    """Whatever is named like a video is looked at: files of any content, broken links, folders."""
    touch(
        tmp_path,
        "walk/a.mp4",
        "walk/deep/b.AVI",
        "run/c.webm",
        "run/notes.txt",
        "run/.hidden.mp4",
        "loose.mp4",
        "x.csv",
    )
    os.symlink("nowhere", tmp_path / "walk/link.mp4")
    (tmp_path / "run/folder.mp4").mkdir()
    (tmp_path / "empty").mkdir()
    source = from_folder(tmp_path)
    assert sorted(lines_of(source.splits["all"]), key=str) == [
        *(("a.mp4", 1), ("b.AVI", 1), ("c.webm", 0), ("folder.mp4", 0), ("link.mp4", 1), ("loose.mp4", None)),
    ]
    assert source.names == {0: "run", 1: "walk"}
    assert source.notes[0].startswith("1 videos lie in no class folder")
    assert source.notes[1].startswith("left out for names that are not a video's")


def test_folder_of_splits(tmp_path):
    touch(tmp_path, "train/run/a.mp4", "train/walk/b.mp4", "validation/walk/c.mp4")
    source = from_folder(tmp_path)
    assert {split: lines_of(records) for split, records in source.splits.items()} == {
        "train": [("a.mp4", 0), ("b.mp4", 1)],
        "val": [("c.mp4", 1)],
    }


def test_flat_folder(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    assert lines_of(from_folder(tmp_path).splits["all"]) == [("a.mp4", None), ("b.mp4", None)]


@pytest.mark.parametrize("name, told", [("none", "no folder"), (".", "named like a video")])
def test_nothing_there(tmp_path, name, told):
    with pytest.raises(UserError, match=told):
        from_folder(tmp_path / name)
