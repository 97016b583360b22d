"""Samples to batches."""

import torch

from slowfast.datasets.collate import Sample, Unreadable, collate
from slowfast.utils.errors import UserError


def sample(label, video_id, view_id=0, replaced=()):
    generator = torch.Generator().manual_seed(label)
    clip = torch.randint(0, 256, (4, 5, 6, 3), dtype=torch.uint8, generator=generator)  # (T, H, W, C)
    return Sample(clip.permute(3, 0, 1, 2), label, video_id, view_id, replaced)


def test_batch():
    samples = [sample(7, 40, 2), Unreadable(41, "a.mp4", "empty"), sample(8, 42, 1, (("b.mp4", "cut"),))]
    batch = collate(samples)
    assert torch.equal(batch.frames, torch.stack([samples[0].frames, samples[2].frames]))
    assert batch.frames.shape == (2, 3, 4, 5, 6) and batch.frames.dtype == torch.uint8
    assert batch.labels.tolist() == [7, 8] and batch.labels.dtype == torch.int64
    assert batch.video_ids.tolist() == [40, 42] and batch.view_ids.tolist() == [2, 1]
    assert batch.unreadable == [samples[1]] and batch.replaced == [("b.mp4", "cut")]
    assert len(batch) == 2


def test_no_pixel_is_moved_between_axes():
    assert collate([sample(1, 0), sample(2, 1)]).frames.permute(0, 2, 3, 4, 1).is_contiguous()


def test_nothing_readable():
    batch = collate([Unreadable(3, "a.mp4", "empty"), Unreadable(4, "b.mp4", "cut")]).to("cpu")
    assert len(batch) == 0 and batch.frames is None
    assert batch.labels.shape == batch.video_ids.shape == batch.view_ids.shape == (0,)
    assert len(batch.unreadable) == 2


def test_to_keeps_everything():
    batch = collate([sample(7, 40, 2), Unreadable(41, "a.mp4", "empty")])
    moved = batch.to("meta")
    assert {moved.frames.device.type, moved.labels.device.type} == {"meta"}
    assert (moved.video_ids.tolist(), moved.view_ids.tolist()) == ([40], [2]), "on the CPU, for whoever asks"
    assert moved.unreadable == batch.unreadable and moved.frames.shape == batch.frames.shape


def test_an_error_stands_for_the_batch():
    error = UserError("no disk")
    assert collate([error]) is error
