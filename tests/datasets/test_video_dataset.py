"""Clips of a split: which frames, what is drawn, what happens to videos that cannot be read."""

import numpy as np
import pytest
import torch

from slowfast.datasets import video_dataset
from slowfast.datasets.annotations import Record
from slowfast.datasets.clip_rules import EvaSegments
from slowfast.datasets.collate import Unreadable
from slowfast.datasets.transforms import CropTransform, TrainTransform
from slowfast.datasets.transforms.crops import JitteredCrop
from slowfast.datasets.video_dataset import ClipShape, VideoDataset
from slowfast.utils.errors import ReadError, UserError

FRAMES, HEIGHT, WIDTH = 60, 20, 28


class NumberedReader:
    """A video whose frame n has the value n in all its pixels; paths with "bad" cannot be read."""

    fps = 30.0
    timestamps = None
    opened = ()  # paths, in order

    def __init__(self, path):
        NumberedReader.opened += (path,)
        if "bad" in path:
            raise ReadError(path, "made so")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __len__(self):
        return FRAMES

    def get(self, indices, short_side=None):
        return np.tile(np.asarray(indices, np.uint8)[:, None, None, None], (1, HEIGHT, WIDTH, 3))


@pytest.fixture(autouse=True)
def reader(monkeypatch):
    NumberedReader.opened = ()
    monkeypatch.setattr(video_dataset, "open_reader", lambda path, kind: NumberedReader(path))
    return NumberedReader


def dataset(split, paths=("a", "b", "c", "d", "e"), **options):
    transforms = {
        "train": {1: TrainTransform(JitteredCrop((18, 20), 16), flip=True)},
        "val": {1: CropTransform(20, 16)},
        "test": {crop: CropTransform(16, 16, crop) for crop in range(3)},
    }[split]
    records = [Record(i, path, 10 + i) for i, path in enumerate(paths)]
    settings = {"num_frames": 6, "sampling_rate": 4, "transforms": transforms, **options}
    return VideoDataset(records, split, **settings)


def numbers(sample):
    """Frame numbers that a sample shows."""
    assert (sample.frames == sample.frames[:1, :, :1, :1]).all()
    return sample.frames[0, :, 0, 0].tolist()


def test_train_sample():
    data = dataset("train")
    assert len(data) == data.num_videos == 5 and data.num_views == 1
    sample = data[2, 3, None]
    assert sample.frames.shape == (3, 6, 16, 16) and sample.frames.dtype == torch.uint8
    assert (sample.label, sample.video_id, sample.view_id, sample.replaced) == (13, 3, 0, ())


def test_train_start_is_uniform():
    """A clip of 24 of 60 frames: starts from 0 to 36; with 200 draws each end comes close."""
    starts = [numbers(dataset("train")[epoch, 0, None])[0] for epoch in range(200)]
    assert min(starts) <= 1 and max(starts) >= 34 and 15 < np.mean(starts) < 21


def test_draws_depend_on_seed_epoch_and_video_alone():
    first, again = dataset("train")[1, 2, None], dataset("train", paths=("v", "w", "x", "y"))[1, 2, None]
    assert torch.equal(first.frames, again.frames)
    others = [dataset("train")[2, 2, None], dataset("train")[1, 3, None], dataset("train", seed=1)[1, 2, None]]
    assert len({tuple(numbers(sample)) for sample in [first, *others]}) > 1


def test_shape_of_a_clip_can_be_given():
    assert dataset("train")[0, 0, ClipShape(9, 12)].frames.shape == (3, 9, 12, 12)


def test_stride_of_a_clip_is_drawn_where_its_shape_gives_a_largest_one():
    """4 to 7, both included and about as often, of 3 frames that span 3 strides; without a largest one always 4."""
    clips = [numbers(dataset("train")[epoch, 0, ClipShape(3, 12, 7)]) for epoch in range(200)]
    strides = [round((last - first + 1) / 3) for first, _, last in clips]
    assert all(30 <= strides.count(stride) <= 70 for stride in (4, 5, 6, 7)) and len(strides) == 200
    clips = [numbers(dataset("train")[epoch, 0, ClipShape(3, 12)]) for epoch in range(50)]
    assert {round((last - first + 1) / 3) for first, _, last in clips} == {4}


def test_several_clips_of_a_video(reader):
    """The same frames, read once and transformed anew; a batch holds all first clips, then all second ones."""
    data = dataset("train", num_samples=3)
    batch = data.__getitems__([(4, 2, None), (4, 0, None)])
    assert [(sample.video_id, sample.view_id) for sample in batch] == [(2, 0), (0, 0), (2, 1), (0, 1), (2, 2), (0, 2)]
    assert reader.opened == ("c", "a")
    for first, second, third in (batch[::2], batch[1::2]):
        assert numbers(first) == numbers(second) == numbers(third)
    assert len({sample.drawn for sample in batch}) == 6
    assert torch.equal(dataset("train")[4, 2, None].frames, batch[0].frames)
    again = data.__getitems__([(4, 0, None), (4, 1, None)])
    assert [sample.drawn for sample in again[::2]] == [sample.drawn for sample in batch[1::2]]


def test_a_mirrored_clip_has_the_mirrored_class():
    """Class 10 becomes 12, 11 has no mirror image and is never mirrored, 13 is the same either way."""
    data = dataset("train", mirrored={10: 12, 12: 10, 11: None})
    for video, mirrored in ((0, 12), (2, 10), (3, 13)):
        samples = [data[epoch, video, None] for epoch in range(20)]
        assert {(sample.drawn.flipped, sample.label) for sample in samples} == {(False, 10 + video), (True, mirrored)}
    assert not any(data[epoch, 1, None].drawn.flipped for epoch in range(20))


def test_validation_is_the_middle_clip_and_never_drawn():
    """36 of 60 frames lie outside the clip, 18 before it; 6 frames from 18 to 41 in steps of 4.6."""
    data = dataset("val")
    assert len(data) == 5 and data.num_views == 1
    for epoch, seed in ((0, 0), (3, 1)):
        sample = dataset("val", seed=seed)[epoch, 4, None]
        assert numbers(sample) == [18, 22, 27, 31, 36, 41]
        assert torch.equal(sample.frames, data[0, 4, None].frames)


def test_test_views():
    """2 clips, 3 crops: video = item // 6; starts 0 and 36 / 2; frames 0 to 23 in steps of 4.6."""
    data = dataset("test", num_clips=2)
    assert len(data) == 30 and data.num_views == 6 and data.num_videos == 5
    for item in (6, 8, 9, 11):
        sample = data[0, item, None]
        assert (sample.video_id, sample.view_id, sample.label) == (1, item - 6, 11)
        offset = 0 if item < 9 else 18
        assert numbers(sample) == [offset + n for n in (0, 4, 9, 13, 18, 23)]


def test_test_crops_read_a_clip_once(reader):
    data = dataset("test", num_clips=2)
    for item in range(12):
        data[0, item, None]
    assert reader.opened == ("a", "a", "b", "b")


def test_drawn_test_clips_are_the_same_for_every_crop_and_run():
    """EVA's: each of several clips is drawn; the frames are those of (seed, video, clip) and stored in the sample."""
    data = dataset("test", num_clips=3, rule=EvaSegments())
    seen = [data[0, item, None] for item in range(18)]
    assert [numbers(sample) for sample in seen] == [sample.indices.tolist() for sample in seen]
    clips = [tuple(numbers(sample)) for sample in seen]
    assert all(len(set(clips[n : n + 3])) == 1 for n in range(0, 18, 3)) and len(set(clips)) == 6
    again = dataset("test", num_clips=3, rule=EvaSegments())[0, 7, None]
    assert numbers(again) == numbers(seen[7])


def test_a_sample_says_what_it_shows():
    """The middle crop of 16 px of 16 x 22: x = 3, in px of the stored 20 x 28, whose short side became 16."""
    sample = dataset("test", num_clips=2)[0, 4, None]
    assert sample.indices.tolist() == numbers(sample)
    assert sample.drawn.box == pytest.approx((0, 3 * 28 / 22, 20, 16 * 28 / 22)) and not sample.drawn.flipped
    assert dataset("train")[3, 0, None].epoch == 3


@pytest.mark.parametrize("order", ["forward", "reversed", "shuffled"])
def test_frame_order_in_test(order):
    data = dataset("test", num_clips=2, frame_order=order)
    forward = [0, 4, 9, 13, 18, 23]
    seen = [numbers(data[0, item, None]) for item in (0, 1, 6)]
    if order == "shuffled":
        assert sorted(seen[0]) == forward and seen[0] != forward
        assert seen[0] == seen[1] != seen[2]
        assert seen == [numbers(dataset("test", num_clips=2, frame_order=order)[0, item, None]) for item in (0, 1, 6)]
    else:
        assert seen == [forward[::-1] if order == "reversed" else forward] * 3


@pytest.mark.parametrize("split", ["train", "val"])
def test_frame_order_elsewhere_is_forward(split):
    shown = numbers(dataset(split, frame_order="reversed")[0, 0, None])
    assert shown == sorted(shown)


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluation_reports_and_never_replaces(split, reader):
    data = dataset(split, paths=("a", "bad b", "c"))
    assert data[0, data.num_views, None] == Unreadable(1, "bad b", "made so")
    assert reader.opened == ("bad b",)
    assert data[0, 2 * data.num_views, None].video_id == 2


def test_training_replaces_and_says_so():
    paths = ("bad a", "b", "bad c", "bad d")
    sample = dataset("train", paths=paths)[0, 2, None]
    assert sample.video_id == 1 and sample.label == 11
    assert sample.replaced[0] == ("bad c", "made so")
    assert set(sample.replaced) <= {(path, "made so") for path in paths if "bad" in path}
    assert len(set(sample.replaced)) == len(sample.replaced)
    again = dataset("train", paths=paths)[0, 2, None]
    assert again.replaced == sample.replaced and torch.equal(again.frames, sample.frames)


def test_replacements_are_spread_over_the_split():
    data = dataset("train", paths=("bad", *"abcdefgh"))
    assert len({data[epoch, 0, None].video_id for epoch in range(60)}) == 8


@pytest.mark.parametrize(("videos", "limit", "tried"), [(20, 4, 4), (3, 10, 3)])
def test_training_gives_up(reader, videos, limit, tried):
    data = dataset("train", paths=[f"bad {i}" for i in range(videos)], max_unreadable_in_a_row=limit)
    told = rf"{tried} unreadable training videos in a row .*TRAIN\.MAX_UNREADABLE_IN_A_ROW {limit}.*DATA\.PATH_PREFIX"
    with pytest.raises(UserError, match=told):
        data[0, 1, None]
    assert len(set(reader.opened)) == len(reader.opened) == tried
    assert isinstance(data.__getitems__([(0, 1, None), (0, 2, None)])[0], UserError)
