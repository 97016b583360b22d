"""Videos and labels -> clips: picks frames, reads, transforms; deals with what cannot be read."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from slowfast.datasets import sampling
from slowfast.datasets.clip_rules import SlowFastClips
from slowfast.datasets.collate import Sample, Unreadable
from slowfast.datasets.readers import SegmentReader, open_reader
from slowfast.utils.errors import ReadError, UserError
from slowfast.utils.rng import numpy_rng

SPLITS = ("train", "val", "test")


def untimed(stage):
    """A context that does nothing."""
    return nullcontext()


@dataclass(frozen=True)
class ClipShape:
    """A training clip's shape where it is not the data set's own.

    Args:
        num_frames: frames.
        crop_size: px of the square crop.
        max_sampling_rate: the clip's stride is drawn from the whole numbers from the data set's own to this; None: the
            data set's own.
    """

    num_frames: int
    crop_size: int
    max_sampling_rate: int | None = None


class VideoDataset(Dataset):
    """Clips of one split; `dataset[epoch, index, shape]` is one clip, `shape` a ClipShape or None.

    train: a random clip; where a video cannot be read, another one is drawn in its place and named in the sample.
    val: the clip that stands for the whole video. test: clip and crop of view index % num_views of video
    index // num_views. These two never replace a video: they return `Unreadable`. What is drawn depends on (seed,
    epoch, video, view) alone.

    Args:
        records: list of Record.
        split: "train", "val" or "test".
        num_frames, sampling_rate: DATA.NUM_FRAMES, DATA.SAMPLING_RATE.
        rule: which frames a clip takes, of `clip_rules`; None: SlowFastClips.
        transforms: dict crop -> `transform(clip, rng, crop_size)`; crops as in `sampling.split_view`, only the centre
            (1) in training and validation.
        num_clips: test clips a video, TEST.NUM_ENSEMBLE_VIEWS; elsewhere 1.
        frame_order: see `sampling.reorder`; test only.
        reader: DATA.READER.
        seed: RNG_SEED.
        num_classes: of labels that are lists; a sample then has a float32 tensor (num_classes,) of zeros and ones.
        self_label: (clip uint8 (T, H, W, C), rng) -> label tensor in place of the record's, for tasks that learn from
            the clips alone; None: the record's.
        num_samples: clips of each training video in a batch, AUG.NUM_SAMPLE: the same frames, transformed anew.
        mirrored: dict class -> class of a mirrored clip, None where there is none: such clips are not mirrored. Classes
            that it does not name stay what they are.
        max_unreadable_in_a_row: training videos that may fail one after the other, TRAIN.MAX_UNREADABLE_IN_A_ROW.
    Attributes:
        num_videos; num_views, views a video, 1 outside test.
        timed: called with "open", "decode" and "transform"; gives the context in which that is done.
    """

    def __init__(
        self,
        records,
        split,
        *,
        num_frames,
        sampling_rate,
        transforms,
        rule=None,
        num_clips=1,
        frame_order="forward",
        reader="auto",
        seed=0,
        num_classes=None,
        self_label=None,
        num_samples=1,
        mirrored=None,
        max_unreadable_in_a_row=10,
    ):
        assert split in SPLITS, split
        self.records = records
        self.split = split
        self.num_frames = num_frames
        self.sampling_rate = sampling_rate
        self.rule = rule or SlowFastClips()
        self.transforms = transforms
        self.num_clips = num_clips
        self.frame_order = frame_order
        self.reader = reader
        self.seed = seed
        self.num_classes = num_classes
        self.self_label = self_label
        self.num_samples = num_samples
        self.mirrored = mirrored or {}
        self.max_unreadable_in_a_row = max_unreadable_in_a_row
        self.num_videos = len(records)
        self.num_views = num_clips * len(self.transforms) if split == "test" else 1
        self.timed = untimed
        self._last_clip = (None, None)  # crops of one clip follow each other: it is read once

    def __len__(self):
        return self.num_videos * self.num_views

    @property
    def labels(self):
        """Label of each whole video: int; tuple of ints; or a float32 tensor (num_classes,) of zeros and ones."""
        return [self._encode(record.label, _all_classes(record)) for record in self.records]

    def __getitem__(self, key):
        epoch, index, shape = key
        video_id, view = divmod(index, self.num_views)
        if self.split == "train":
            return self._train_samples(epoch, video_id, shape)[0]
        record = self.records[video_id]
        try:
            return self._samples(epoch, record, view, shape)[0]
        except ReadError as error:
            return Unreadable(record.video_id, record.path, error.reason)

    def __getitems__(self, keys):
        """A batch, for the loader: of several clips a video all first ones, then all second ones, and so on.

        A UserError becomes a value: raised in a worker, it would not stay one line.
        """
        try:
            if self.split != "train":
                return [self[key] for key in keys]
            rows = [self._train_samples(*key) for key in keys]
            return [row[number] for number in range(self.num_samples) for row in rows]
        except UserError as error:
            return [error]

    def _train_samples(self, epoch, video_id, shape):
        """The clips of a video, a list; while that cannot be read, of another one drawn in its place."""
        rng = numpy_rng(self.seed, "replacement", epoch, video_id)
        replaced = {}
        while True:
            record = self.records[video_id]
            try:
                return self._samples(epoch, record, 0, shape, tuple(replaced.values()))
            except ReadError as error:
                replaced[video_id] = (record.path, error.reason)
            left = [i for i in range(self.num_videos) if i not in replaced]
            if len(replaced) >= self.max_unreadable_in_a_row or not left:
                path, reason = replaced[video_id]
                raise UserError(
                    f"{len(replaced)} unreadable training videos in a row (TRAIN.MAX_UNREADABLE_IN_A_ROW "
                    f"{self.max_unreadable_in_a_row}), last {path}: {reason}. Is the disk mounted? "
                    "Check DATA.PATH_PREFIX and the paths of the list"
                )
            video_id = left[rng.integers(len(left))]

    def _samples(self, epoch, record, view, shape, replaced=()):
        rng = numpy_rng(self.seed, self.split, epoch, record.video_id, view)
        clip_number, crop = sampling.split_view(view, len(self.transforms))
        num_frames, crop_size = (shape.num_frames, shape.crop_size) if shape else (self.num_frames, None)
        sampling_rate = self.sampling_rate
        if shape and shape.max_sampling_rate:
            sampling_rate = int(rng.integers(sampling_rate, shape.max_sampling_rate, endpoint=True))
        if self.split == "test":  # all crops of a clip show the same frames
            rng = numpy_rng(self.seed, "test clip", record.video_id, clip_number)
        clip, label, indices = self._read(record, clip_number, num_frames, sampling_rate, rng)
        samples = []
        for number in range(self.num_samples):
            if number:
                rng = numpy_rng(self.seed, self.split, epoch, record.video_id, view, number)
            with self.timed("transform"):
                frames, seen, drawn = self._transform(clip, label, crop, crop_size, rng)
            samples.append(Sample(frames, seen, record.video_id, view + number, replaced, epoch, indices, drawn))
            replaced = ()  # is told once
        return samples

    def _transform(self, clip, label, crop, crop_size, rng):
        """(frames uint8 (C, T, H, W), label of what they show, `Drawn`)."""
        mirror = self.mirrored.get(label, label) if isinstance(label, int) else label
        options = {} if mirror is not None else {"may_flip": False}
        clip, drawn = self.transforms[crop](clip, rng, crop_size, **options)
        if self.self_label is not None:
            label = self.self_label(clip, rng)
        elif drawn.flipped:
            label = mirror
        return torch.from_numpy(clip).permute(3, 0, 1, 2), label, drawn

    def _read(self, record, clip_number, num_frames, sampling_rate, rng):
        """(clip uint8 (T, H, W, C), label, frame numbers int64 (T,)); training draws where it starts."""
        key = (record.video_id, clip_number, num_frames)
        if self.split == "test" and self._last_clip[0] == key:
            return self._last_clip[1]
        with self.timed("open"):
            reader = self.open_video(record)
        with reader, self.timed("decode"):
            indices = self._indices(reader, num_frames, sampling_rate, clip_number, rng)
            label = self._label(record, reader, indices)
            if self.split == "test":
                order_rng = numpy_rng(self.seed, "frame_order", record.video_id, clip_number)
                indices = sampling.reorder(indices, self.frame_order, order_rng)
            clip = reader.get(indices)
        if self.split == "test":
            self._last_clip = (key, (clip, label, indices))
        return clip, label, indices

    def open_video(self, record):
        """The reader of a record; to be closed, best by `with`."""
        if record.frames is not None:
            reader = open_reader(record.path, frames=record.frames)
        else:
            reader = open_reader(record.path, self.reader)
        if record.fps is not None and reader.fps is None:
            reader.fps = record.fps
        if record.span_s is None:
            return reader
        return SegmentReader(reader, record.span_s, record.span_frames)

    def _indices(self, reader, num_frames, sampling_rate, clip_number, rng):
        """Frame numbers of a clip, int64 (num_frames,)."""
        if self.split == "train":
            return self.rule.train(reader, num_frames, sampling_rate, rng)
        if self.split == "val":
            return self.rule.middle(reader, num_frames, sampling_rate)
        return self.rule.view(reader, num_frames, sampling_rate, clip_number, self.num_clips, rng)

    def _label(self, record, reader, indices):
        """A clip's label, as in `labels`."""
        return self._encode(record.label, self._classes(record, reader, indices))

    def _encode(self, label, classes):
        if not isinstance(label, list):
            return label
        encoded = torch.zeros(self.num_classes)
        encoded[sorted(classes)] = 1
        return encoded

    def _classes(self, record, reader, indices):
        """Numbers of the classes that a clip shows, where any number may apply."""
        return _all_classes(record)


def _all_classes(record):
    """Numbers of all classes of a video whose label is a list."""
    if not isinstance(record.label, list):
        return ()
    return {entry if isinstance(entry, int) else entry[0] for entry in record.label}
