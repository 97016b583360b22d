"""Samples -> batches; what a loader hands to the engine."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from slowfast.utils.errors import UserError


@dataclass(frozen=True)
class Sample:
    """One clip. frames: uint8 (C, T, H, W).

    label: a class; a tuple of classes, one a head; a float tensor (K,) of zeros and ones; or an int64 tensor (M,).
    view_id: in a test the view; in training which of a video's clips in one batch.
    replaced: ((path, reason), ...) of unreadable videos in whose place this clip was drawn; only in training.
    epoch: that the clip was drawn for, 0 outside training.
    indices: int64 (T,), the frames of the video that it shows.
    drawn: `transforms.views.Drawn`, what was done to their pixels.
    """

    frames: torch.Tensor
    label: int | tuple | torch.Tensor
    video_id: int
    view_id: int = 0
    replaced: tuple = ()
    epoch: int = 0
    indices: np.ndarray | None = None
    drawn: object = None


@dataclass(frozen=True)
class Unreadable:
    """A video of a validation or test split that cannot be read, and why."""

    video_id: int
    path: str
    reason: str


@dataclass
class ClipBatch:
    """B clips.

    Attributes:
        frames: uint8 (B, C, T, H, W), channels last in memory; None if no clip of the batch could be read (B = 0).
        labels: int64 (B,); int64 (B, H) with a class for each of H heads; float32 (B, K) of zeros and ones, or of
            shares where clips are mixed; int64 (B, M), the numbers of the tokens that masked pre-training hides.
        video_ids, view_ids: int64 (B,), always on the CPU.
        unreadable: list of Unreadable, the clips that are missing.
        replaced: list of (path, reason), as in `Sample`.
        epoch: as in `Sample`.
        indices, drawn: lists of B, as in `Sample`.
        mixed: list of B (place of the partner in the batch, the clip's own share); [] where clips are not mixed.
    """

    frames: torch.Tensor | None
    labels: torch.Tensor
    video_ids: torch.Tensor
    view_ids: torch.Tensor
    unreadable: list = field(default_factory=list)
    replaced: list = field(default_factory=list)
    epoch: int = 0
    indices: list = field(default_factory=list)
    drawn: list = field(default_factory=list)
    mixed: list = field(default_factory=list)

    def __len__(self):
        return len(self.labels)

    # What says which clips these are stays on the CPU: whoever asks for it would wait for the device.

    def to(self, device, non_blocking=False):
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self):
        return self._map(torch.Tensor.pin_memory)

    def record_stream(self, stream):
        """Keep the memory until `stream` has done its work with it (CUDA tensors made on another stream)."""
        self._map(lambda tensor: tensor.record_stream(stream) or tensor)

    def _map(self, function):
        frames = None if self.frames is None else function(self.frames)
        return replace(self, frames=frames, labels=function(self.labels))


def collate(samples):
    """ClipBatch of a list of Sample and Unreadable; a UserError in place of a sample stands for the whole batch."""
    if isinstance(samples[0], UserError):
        return samples[0]
    clips = [sample for sample in samples if isinstance(sample, Sample)]
    frames = None
    if clips:  # stacked as they lie in memory, (B, T, H, W, C): no pixel is moved twice
        frames = torch.stack([clip.frames.permute(1, 2, 3, 0) for clip in clips]).permute(0, 4, 1, 2, 3)
    return ClipBatch(
        frames,
        labels=_stack_labels([clip.label for clip in clips]),
        video_ids=torch.tensor([clip.video_id for clip in clips], dtype=torch.int64),
        view_ids=torch.tensor([clip.view_id for clip in clips], dtype=torch.int64),
        unreadable=[sample for sample in samples if isinstance(sample, Unreadable)],
        replaced=[video for clip in clips for video in clip.replaced],
        epoch=clips[0].epoch if clips else 0,
        indices=[clip.indices for clip in clips],
        drawn=[clip.drawn for clip in clips],
    )


def _stack_labels(labels):
    if labels and isinstance(labels[0], torch.Tensor):
        return torch.stack(labels)
    return torch.tensor(labels, dtype=torch.int64)
