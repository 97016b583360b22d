"""What a loader does with a clip, stage by stage in one process: seconds, processor time, copies of its pixels."""

import time
from contextlib import contextmanager
from itertools import islice

import numpy as np
import torch

from slowfast.datasets.collate import collate
from slowfast.engine.speed.timing import Measurement, measure
from slowfast.utils.errors import UserError

STAGES = ("open", "decode", "transform")  # of one clip, in this order


def time_stages(loader, device, *, warmup, iters):
    """list of Measurement: opening, decoding and transforming a clip; collating a batch; copying it to the device.

    Copying is what follows in the worker that made the batch: to the loading process, to page-locked memory, to the
    GPU, as far as loader and device ask for it. A stage's copies are how often it writes a clip's pixels anew.

    Args:
        loader: ClipLoader of training clips; its own workers are not used.
        device: where batches go.
        warmup, iters: clips, and batches of the last two stages, that do not count and that do.
    """
    dataset, stopwatch = loader.dataset, Stopwatch()
    untimed, transforms = dataset.timed, dataset.transforms
    keys = [key for batch in islice(loader.batch_sampler, warmup + iters) for key in batch]
    clips, copied = [], []
    dataset.transforms = {crop: _watched(transform, copied) for crop, transform in transforms.items()}
    for number, key in enumerate(keys[: warmup + iters]):
        dataset.timed = stopwatch if number >= warmup else untimed
        clips += dataset.__getitems__([key])
        if isinstance(clips[-1], UserError):
            raise clips[-1]
    dataset.timed, dataset.transforms = untimed, transforms
    size = loader.batch_sampler.batch_size * dataset.num_samples
    batch = [clips[i % len(clips)] for i in range(size)]
    copies = {"decode": 1, "transform": max(copied)}
    rows = [
        Measurement(
            f"loader: {stage}", 1, stopwatch.samples[stage], copies=copies.get(stage, 0), cpu_s=stopwatch.cpu_s(stage)
        )
        for stage in STAGES
    ]
    collated = collate(batch)
    fresh = collated.frames.data_ptr() not in {clip.frames.data_ptr() for clip in clips}
    collating = measure(lambda: collate(batch), warmup=warmup, iters=iters)
    rows.append(Measurement("loader: collate", size, collating, copies=int(fresh)))
    copying, count = _time_copy(loader, device, collated, warmup, iters)
    return [*rows, Measurement("loader: copy", size, copying, copies=count)]


def _watched(transform, copied):
    """The transform; appends 1 to `copied` where its result is not a view of its clip, else 0."""

    def run(clip, *args, **kwargs):
        out, drawn = transform(clip, *args, **kwargs)
        copied.append(int(not np.shares_memory(clip, out)))
        return out, drawn

    return run


def _time_copy(loader, device, batch, warmup, iters):
    """(seconds of each copy of a collated batch, copies that it makes)."""
    cuda = device.type == "cuda"
    count = int(loader.num_workers > 0) + int(loader.pin_memory) + int(cuda)

    def copy():
        moved = batch
        if loader.num_workers > 0:  # as the queue between processes does it
            pixels = batch.frames.untyped_storage()
            type(pixels)._new_shared(pixels.nbytes()).copy_(pixels)
        if loader.pin_memory:
            moved = moved.pin_memory()
        moved.to(device, non_blocking=True)

    synchronize = torch.cuda.synchronize if cuda else lambda: None
    return measure(copy, warmup=warmup, iters=iters, synchronize=synchronize), count


def batch_bytes(cfg):
    """Bytes of the pixels of one process's batch in plain training."""
    clips = cfg.TRAIN.BATCH_SIZE // max(1, cfg.NUM_GPUS)
    return clips * cfg.DATA.NUM_FRAMES * cfg.DATA.TRAIN_CROP_SIZE**2 * cfg.DATA.INPUT_CHANNEL_NUM[0]


class Stopwatch:
    """Called with a stage's name, gives a context that is timed.

    Attributes:
        samples: dict stage -> list of seconds.
    """

    def __init__(self):
        self.samples = {}
        self._cpu = {}

    @contextmanager
    def __call__(self, stage):
        start, cpu = time.perf_counter(), time.process_time()
        yield
        self.samples.setdefault(stage, []).append(time.perf_counter() - start)
        self._cpu.setdefault(stage, []).append(time.process_time() - cpu)

    def cpu_s(self, stage):
        """Mean processor seconds of a stage, all threads together."""
        return float(np.mean(self._cpu[stage]))
