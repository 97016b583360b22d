"""Batches from a loader to the device: transfer ahead of need, what is left to do there, time spent waiting."""

import time

import torch

from slowfast.datasets.transforms.build import build_clip_input


class Feed:
    """Iterates a loader; yields (ClipBatch on the device, normalised frames (B, C, T, H, W) float32 or None).

    On CUDA the next batch is copied on a stream of its own while the current one is being computed. A batch in which
    nothing could be read has no frames.

    Args:
        loader: yields ClipBatch with uint8 frames on the CPU.
        device: where they go.
        clip_input: `ClipInput`, applied on the device.
        waited: called with the seconds that each wait for data took.
    """

    def __init__(self, loader, device, clip_input, waited=lambda seconds: None):
        self.loader = loader
        self.device = device
        self.clip_input = clip_input
        self.waited = waited
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    @classmethod
    def from_cfg(cls, cfg, loader, device, waited=lambda seconds: None, *, train_task=None):
        """Args: train_task: the task, where the batches are to be trained on: clips are erased and mixed then."""
        return cls(loader, device, build_clip_input(cfg, device, train_task), waited)

    def __iter__(self):
        batches = iter(self.loader)
        upcoming = self._fetch(batches)
        while upcoming is not None:
            batch = upcoming
            if self.stream is None:
                yield self.clip_input(batch)
                upcoming = self._fetch(batches)
            else:
                torch.cuda.current_stream(self.device).wait_stream(self.stream)
                batch.record_stream(torch.cuda.current_stream(self.device))
                upcoming = self._fetch(batches)
                yield self.clip_input(batch)

    def _fetch(self, batches):
        start = time.perf_counter()
        batch = next(batches, None)
        self.waited(time.perf_counter() - start)
        if batch is None or self.stream is None:
            return batch
        with torch.cuda.stream(self.stream):
            return batch.to(self.device, non_blocking=True)
