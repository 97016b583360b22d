"""Which loader settings serve this machine and these videos best, by trying them, and what bounds the loader then."""

import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import torch
from tabulate import tabulate

from slowfast.config.derive import reader_kind
from slowfast.datasets.build import construct_loader
from slowfast.datasets.readers.torchcodec import check_torchcodec
from slowfast.engine.speed.loader_stages import time_stages
from slowfast.utils import distributed
from slowfast.utils.errors import UserError

GAIN = 1.05  # a setting is better where it gives this much more
SHARED_MEMORY = Path("/dev/shm")  # through which workers hand their batches on


@dataclass(frozen=True)
class Trial:
    """Clips a second of a loader with these settings."""

    reader: str
    num_workers: int
    prefetch_factor: int
    clips_per_s: float


def tune(load, seconds, *, say=lambda text: None):
    """Try readers, numbers of workers and prefetching, one after the other.

    Readers are compared without workers; the result has at least one, since training waits for a loader without.

    Args:
        load: function (dict of overrides) -> frozen configuration.
        seconds: measured for each trial.
        say: called with a line for each trial.
    Returns:
        (best Trial, list of all, stages of the best reader in one process as in `time_stages`).
    """
    trials = []

    def attempt(reader, workers, prefetch):
        keys = {"DATA.READER": reader, "DATA_LOADER.NUM_WORKERS": workers, "DATA_LOADER.PREFETCH_FACTOR": prefetch}
        trials.append(Trial(reader, workers, prefetch, clips_per_s(load(keys), seconds)))
        say(f"reader {reader}, {workers} worker(s), prefetch {prefetch}: {trials[-1].clips_per_s:.1f} clips/s")
        return trials[-1]

    cfg = load({})
    prefetch = cfg.DATA_LOADER.PREFETCH_FACTOR
    reader = better([attempt(reader, 0, prefetch) for reader in candidates(cfg)]).reader
    best = better([attempt(reader, workers, prefetch) for workers in worker_counts(distributed.available_cores())])
    best = better([best, attempt(reader, best.num_workers, 2 * prefetch)])
    stages = time_stages(
        construct_loader(load({"DATA.READER": best.reader, "DATA_LOADER.NUM_WORKERS": best.num_workers}), "train"),
        torch.device("cpu"),
        warmup=2,
        iters=20,
    )
    return best, trials, stages


def candidates(cfg):
    """Readers that can read what the configured one reads; the configured one first."""
    kind = reader_kind(cfg)
    if kind not in ("auto", "pyav"):
        return [kind]
    try:
        check_torchcodec()
    except UserError:  # it is not installed here
        return [kind]
    return [kind, "torchcodec"]


def worker_counts(cores):
    """1, 2, 4, ... up to the number of cores, which is always among them."""
    return [*(2**n for n in range(cores.bit_length()) if 2**n < cores), cores]


def better(trials):
    """The first of the trials that no later one beats by GAIN, so that what costs less goes first."""
    best = trials[0]
    for trial in trials[1:]:
        if trial.clips_per_s > GAIN * best.clips_per_s:
            best = trial
    return best


def clips_per_s(cfg, seconds):
    """Rate of the training loader over about `seconds`, from when each worker has given its first batch."""
    loader = construct_loader(cfg, "train")
    batches = _endless(loader)
    for _ in range(max(1, cfg.DATA_LOADER.NUM_WORKERS)):
        next(batches)
    clips, start = 0, time.perf_counter()
    while clips == 0 or time.perf_counter() - start < seconds:
        clips += len(next(batches))
    rate = clips / (time.perf_counter() - start)
    batches.close()
    return rate


def _endless(loader):
    for epoch in count():
        loader.batch_sampler.set_position(epoch, 0)
        yield from loader


def bound(best, stages, *, cores, batch_bytes, free_bytes):
    """Sentences that say what bounds the loader, and what would help.

    Args:
        best, stages: from `tune`.
        cores: CPU cores that may be used.
        batch_bytes: of the pixels of a batch.
        free_bytes: of the memory through which workers hand on batches; None: unknown.
    """
    rows = {row.name.removeprefix("loader: "): row for row in stages}
    each = {name: sum(row.samples) / len(row.samples) / row.clips for name, row in rows.items()}
    total = sum(each.values())
    slowest = max(each, key=each.get)
    shares = ", ".join(f"{name} {share / total:.0%}" for name, share in each.items())
    copies = sum(row.copies for row in stages)
    sentences = [f"One process needs {1000 * total:.1f} ms a clip ({shares}) and writes its pixels {copies} times."]
    waited = sum(max(each[name] - rows[name].cpu_s, 0) for name in ("open", "decode"))
    if waited > 0.3 * total:
        sentences.append(
            f"Storage bounds the loader: it is waited for during {waited / total:.0%} of that time. Copy the videos to "
            "a local disk, or pack them (tools/prepare/pack_hdf5.py), so that a clip is one read."
        )
    elif best.num_workers >= cores:
        sentences.append(f"The {cores} CPU core(s) bound the loader, {slowest} most of all. {_ADVICE[slowest]}")
    else:
        sentences.append(
            f"More than {best.num_workers} worker(s) do not help, though there are {cores} cores: other processes use "
            "them, or memory and the loading process, which receives the batches, bound the loader."
        )
    needed = batch_bytes * best.num_workers * best.prefetch_factor
    if free_bytes is not None and needed > 0.5 * free_bytes:
        sentences.append(
            f"Batches on their way take up to {needed / 2**30:.1f} GiB of {SHARED_MEMORY}, where "
            f"{free_bytes / 2**30:.1f} GiB are free: enlarge it, or lower DATA_LOADER.PREFETCH_FACTOR."
        )
    return sentences


_SMALLER = "Store the videos with a smaller short side and more key frames (tools/prepare/resize_videos.py)"
_ADVICE = {
    "open": "Store the videos in containers with an index, or pack them (tools/prepare/pack_hdf5.py).",
    "decode": f"{_SMALLER}, or as JPEG (tools/prepare/pack_hdf5.py).",
    "transform": f"{_SMALLER}: less is scaled then.",
    "collate": "Lower TRAIN.BATCH_SIZE.",
    "copy": "Lower TRAIN.BATCH_SIZE.",
}


def trials_table(trials):
    """Plain text, one row a trial."""
    rows = [(t.reader, t.num_workers, t.prefetch_factor, f"{t.clips_per_s:.1f}") for t in trials]
    return tabulate(rows, ["reader", "workers", "prefetch", "clips/s"], tablefmt="simple", disable_numparse=True)
