"""Timing without opinions about what is timed: samples, their spread, a table, and what they say about a run."""

import math
import time
from dataclasses import dataclass

import numpy as np
from tabulate import tabulate

BALANCED = 0.05  # relative difference of two rates below which neither is called the slower one
UNEXPLAINED = 0.8  # whole steps below this share of the slower part's rate have another cause


def measure(fn, *, warmup, iters, synchronize=lambda: None):
    """Time fn() `iters` times after `warmup` calls that do not count.

    Args:
        fn: function without arguments; each call does one iteration.
        warmup: calls before the first sample, >= 0.
        iters: samples, >= 1.
        synchronize: waits until the device is done, e.g. torch.cuda.synchronize; called around each sample.
    Returns:
        list of `iters` durations in seconds.
    """
    if warmup < 0 or iters < 1:
        raise ValueError(f"warmup must be at least 0 and iters at least 1, got {warmup} and {iters}")
    for _ in range(warmup):
        fn()
    samples = []
    for _ in range(iters):
        synchronize()
        start = time.perf_counter()
        fn()
        synchronize()
        samples.append(time.perf_counter() - start)
    return samples


def smooth(samples, window):
    """Means of consecutive groups of `window` samples; fewer samples than that are one group, a rest is dropped.

    W workers of a loader finish W batches at about the same time: single waits are long, then nearly nothing, and
    their median says nothing about the rate. With window = W each group holds one batch of every worker.
    """
    window = min(max(window, 1), len(samples))
    groups = np.reshape(samples[: len(samples) // window * window], (-1, window))
    return groups.mean(axis=1).tolist()


@dataclass(frozen=True)
class Summary:
    """Seconds an iteration: the middle and the ends of the middle 80 %."""

    median: float
    p10: float
    p90: float


def summary(samples):
    """Args: samples: seconds, at least one. Percentiles are interpolated linearly."""
    p10, median, p90 = np.percentile(samples, (10, 50, 90)).tolist()
    return Summary(median, p10, p90)


@dataclass(frozen=True)
class Measurement:
    """One row of a benchmark.

    Args:
        name: what was timed.
        clips: clips an iteration.
        samples: seconds of each iteration.
        peak_bytes: largest device memory in use meanwhile; None where it is not known.
        copies: how often an iteration writes the pixels of each of its clips anew; None where that is not counted.
        cpu_s: mean processor seconds of an iteration; None where they are not measured.
    """

    name: str
    clips: int
    samples: list
    peak_bytes: int | None = None
    copies: int | None = None
    cpu_s: float | None = None

    @property
    def clips_per_s(self):
        """Of the median iteration."""
        return self.clips / summary(self.samples).median

    def to_dict(self):
        """For benchmark.json: seconds, clips/s, bytes."""
        spread = summary(self.samples)
        return {
            "name": self.name,
            "clips": self.clips,
            "iters": len(self.samples),
            "median_s": spread.median,
            "p10_s": spread.p10,
            "p90_s": spread.p90,
            "clips_per_s": self.clips_per_s,
            "peak_bytes": self.peak_bytes,
            "copies": self.copies,
            "cpu_s": self.cpu_s,
        }


def format_table(measurements):
    """A plain text table, one row a measurement; copies and memory only where any row knows them."""
    headers = ["", "clips/s", "ms (median)", "ms (p10)", "ms (p90)"]
    rows = []
    with_copies = any(m.copies is not None for m in measurements)
    with_memory = any(m.peak_bytes is not None for m in measurements)
    for measurement in measurements:
        spread = summary(measurement.samples)
        milliseconds = [f"{1000 * seconds:.1f}" for seconds in (spread.median, spread.p10, spread.p90)]
        rows.append([measurement.name, f"{measurement.clips_per_s:.1f}", *milliseconds])
        if with_copies:
            rows[-1].append("" if measurement.copies is None else str(measurement.copies))
        if with_memory:
            known = measurement.peak_bytes is not None
            rows[-1].append(f"{measurement.peak_bytes / 2**30:.2f}" if known else "")
    headers += ["copies of a clip"] * with_copies + ["peak GiB"] * with_memory
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True, colalign=align if rows else None)


def verdict(
    loader_clips_per_s,
    model_clips_per_s,
    *,
    num_workers,
    cpu_count,
    num_processes=1,
    device="cpu",
    precision="fp32",
    step_clips_per_s=None,
):
    """One sentence that says what bounds a training run and what to change.

    Args:
        loader_clips_per_s, model_clips_per_s: clips/s of one process, each measured alone; the model's is forward and
            backward. Both > 0.
        num_workers: DATA_LOADER.NUM_WORKERS, of each process.
        cpu_count: CPU cores of the machine that this job may use.
        num_processes: training processes on the machine.
        device: "cpu" or "cuda", where the model runs.
        precision: "fp32", "bf16" or "fp16".
        step_clips_per_s: clips/s of whole steps (loading, transfer, optimizer); None: not measured.
    """
    loader, model = loader_clips_per_s, model_clips_per_s
    rates = f"the loader delivers {loader:.1f} clips/s and the model takes {model:.1f}"
    cores = max(1, cpu_count // num_processes)
    faster_loader = _faster_loader(num_workers, cores, math.ceil(max(num_workers, 1) * model / loader))
    faster_model = _faster_model(device, precision)
    if num_workers == 0:
        waiting = f"with DATA_LOADER.NUM_WORKERS 0 the model waits for clips {model / (loader + model):.0%} of the time"
        if loader < model:
            return f"The loader bounds this run: {rates}, and {waiting}; {faster_loader}."
        return f"The model bounds this run: {rates}; {faster_model}, and since {waiting}, {faster_loader}."
    slower = min(loader, model)
    if device != "cpu" and step_clips_per_s is not None and step_clips_per_s < UNEXPLAINED * slower:
        return (
            f"Neither loader nor model bounds this run: {rates}, but whole steps reach only {step_clips_per_s:.1f}; "
            "the optimizer, the transfer to the device and Python take the rest, so raise TRAIN.BATCH_SIZE "
            "and keep DATA_LOADER.PIN_MEMORY True."
        )
    if loader < (1 - BALANCED) * model:
        waiting = f"the model would wait {1 - loader / model:.0%} of the time"
        return f"The loader bounds this run: {rates}, so {waiting}; {faster_loader}."
    if loader < (1 + BALANCED) * model:
        return (
            f"Loader and model are balanced: {rates}; for more speed both must change: "
            f"for the loader, {faster_loader}; for the model, {faster_model}."
        )
    return f"The model bounds this run: {rates}; {faster_model}."


def _faster_loader(num_workers, cores, workers_needed):
    if num_workers < cores:
        return f"raise DATA_LOADER.NUM_WORKERS from {num_workers} to {min(max(workers_needed, num_workers + 1), cores)}"
    return (
        f"{num_workers} worker(s) already have all {cores} CPU core(s) of a process, so store the videos with a "
        "smaller short side and more key frames, or use a machine with more cores"
    )


def _faster_model(device, precision):
    if device == "cpu":
        return "use a GPU, or fewer frames, a smaller crop or a smaller model"
    if precision == "fp32":
        return "set TRAIN.PRECISION bf16, or use more GPUs (NUM_GPUS)"
    return "use more GPUs (NUM_GPUS), fewer frames, a smaller crop or a smaller model"
