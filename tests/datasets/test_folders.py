"""Sets without lists: what becomes a class, a clip, a split."""

import cv2
import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.datasets import build_dataset
from slowfast.datasets.folders import find_clips, hold_out, list_clips
from slowfast.utils.errors import ConfigError, UserError
from tests.datasets.clips import moving_texture, write_video


def load(folder, **options):
    keys = {
        "DATA.PATH_TO_DATA_DIR": folder,
        "MODEL.NUM_CLASSES": 2,
        "DATA.NUM_FRAMES": 3,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TRAIN_JITTER_SCALES": [24, 24],
        "DATA.TRAIN_CROP_SIZE": 16,
        **{key.replace("__", "."): value for key, value in options.items()},
    }
    return load_cfg(None, [str(part) for pair in keys.items() for part in pair])


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_one_folder_a_class(tmp_path):
    for number in range(10):
        for name in ("run", "jump high"):
            (tmp_path / name).mkdir(exist_ok=True)
            write_video(tmp_path / name / f"clip {number}.mp4", moving_texture(8, 24, 32, seed=number))
    train, val = (build_dataset("video_folder", load(tmp_path), split) for split in ("train", "val"))
    assert train.class_names == val.class_names == ["jump high", "run"]
    paths = [{record.path for record in data.records} for data in (train, val)]
    assert len(paths[0]) + len(paths[1]) == 20 and not paths[0] & paths[1]
    assert {record.label for record in val.records} == {0, 1}
    assert all(record.label == ("run" in record.path) for record in train.records)
    assert train[0, 0, None].frames.shape == (3, 3, 16, 16)
    tested = build_dataset("video_folder", load(tmp_path), "test")
    assert [record.path for record in tested.records] == [record.path for record in val.records]
    with pytest.raises(ConfigError, match=r"MODEL\.NUM_CLASSES: got 3, but .* has 2 class folders \(jump high, run\)"):
        build_dataset("video_folder", load(tmp_path, MODEL__NUM_CLASSES=3), "train")


def test_split_folders(tmp_path):
    touch(tmp_path, "train/b/1.mp4", "train/a/2.MKV", "train/a/.hidden.mp4", "train/a/notes.txt", "validation/b/3.avi")
    classes, clips = find_clips(tmp_path, "train", list_clips, 0.2)
    assert classes == ["a", "b"]
    assert clips == [(str(tmp_path / "train/a/2.MKV"), 0), (str(tmp_path / "train/b/1.mp4"), 1)]
    for split in ("val", "test"):
        assert find_clips(tmp_path, split, list_clips, 0.2)[1] == [(str(tmp_path / "validation/b/3.avi"), 1)]
    touch(tmp_path, "validation/c/4.mp4")
    with pytest.raises(UserError, match="folder c is no class of the training folder"):
        find_clips(tmp_path, "val", list_clips, 0.2)


def test_what_is_a_clip(tmp_path):
    touch(tmp_path, "a/10.mp4", "a/9.mp4", "a/deep/er/x.webm", "a/frames/1.jpg", "a/frames/2.jpg", "a/stray.jpg")
    assert list_clips(tmp_path / "a") == [
        str(tmp_path / "a" / name) for name in ("9.mp4", "10.mp4", "deep/er/x.webm", "frames")
    ]


def test_links_are_followed_but_not_in_a_circle(tmp_path):
    touch(tmp_path, "elsewhere/b.mp4", "run/a.mp4")
    (tmp_path / "run/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/up").symlink_to(tmp_path / "run")
    names = [path.split("/")[-1] for path in list_clips(tmp_path / "run")]
    assert names == ["a.mp4", "b.mp4"]


def test_no_classes_and_no_clips(tmp_path):
    with pytest.raises(UserError, match="expected one folder a class"):
        find_clips(tmp_path, "train", list_clips, 0.2)
    touch(tmp_path, "a/notes.txt")
    with pytest.raises(UserError, match="no clip in any of its 1 class folders"):
        find_clips(tmp_path, "train", list_clips, 0.2)


def test_held_out_clips_stay_where_they_are():
    """A fifth of many; new clips move no old one; two clips give one each, one is kept for training."""
    paths = [f"/set/a/{number}.mp4" for number in range(400)]
    train, val = hold_out(paths, 0.2, "/set")
    assert 60 < len(val) < 100 and sorted(train + val) == sorted(paths)
    grown = hold_out(paths + [f"/set/a/new {number}.mp4" for number in range(100)], 0.2, "/set")
    assert set(val) <= set(grown[1]) and set(train) <= set(grown[0])
    assert hold_out([p.replace("/set", "/moved") for p in paths], 0.2, "/moved")[1] == [
        p.replace("/set", "/moved") for p in val
    ]
    assert [len(side) for side in hold_out(paths[:2], 0.2, "/set")] == [1, 1]
    assert [len(side) for side in hold_out(paths[:2], 0.0, "/set")] == [2, 0]
    assert all(hold_out([path], 0.9, "/set") == ([path], []) for path in paths[:9])


def test_imagenet(tmp_path):
    for split in ("train", "val"):
        for name in ("n01", "n02"):
            (tmp_path / split / name).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / split / name / "x.JPEG"), np.full((24, 30, 3), 99, np.uint8))
    data = build_dataset("imagenet", load(tmp_path, DATA__NUM_FRAMES=1), "val")
    sample = data[0, 1, None]
    assert (len(data), sample.label, tuple(sample.frames.shape)) == (2, 1, (3, 1, 16, 16))
    assert build_dataset("imagenet", load(tmp_path), "train")[0, 0, None].frames.shape == (3, 3, 16, 16)
