"""Stages of a loader with their copies, the choice among settings, and what is said of a loader's bound."""

import numpy as np
import pytest
import torch

from slowfast.datasets.build import construct_loader
from slowfast.datasets.transforms.views import Drawn
from slowfast.engine.speed import loader_tuning
from slowfast.engine.speed.loader_stages import batch_bytes, time_stages
from slowfast.engine.speed.loader_tuning import Trial, better, bound, trials_table, tune, worker_counts
from slowfast.engine.speed.timing import Measurement

CPU = torch.device("cpu")


@pytest.mark.parametrize(("workers", "copied"), [(0, 0), (2, 1)])
def test_stages_and_copies(tiny_cfg, workers, copied):
    """A clip is written when it is decoded, scaled and cropped, put into its batch, and handed on by a worker."""
    loader = construct_loader(tiny_cfg(DATA_LOADER__NUM_WORKERS=workers), "train")
    before = loader.dataset.transforms
    rows = {row.name: row for row in time_stages(loader, CPU, warmup=1, iters=4)}
    assert list(rows) == [f"loader: {stage}" for stage in ("open", "decode", "transform", "collate", "copy")]
    assert [row.copies for row in rows.values()] == [0, 1, 1, 1, copied]
    assert all(len(row.samples) == 4 for row in rows.values())
    assert [row.clips for row in rows.values()] == [1, 1, 1, 4, 4]
    assert 0 < rows["loader: decode"].cpu_s < 1
    assert loader.dataset.transforms is before  # nothing of the measurement stays


def test_a_view_is_no_copy(tiny_cfg):
    loader = construct_loader(tiny_cfg(), "train")
    loader.dataset.transforms = {
        1: lambda clip, rng, crop_size=None, **options: (clip[:, :16, :16], Drawn((0, 0, 16, 16)))
    }
    rows = {row.name: row for row in time_stages(loader, CPU, warmup=0, iters=2)}
    assert rows["loader: transform"].copies == 0


def test_bytes_of_a_batch(tiny_cfg):
    assert batch_bytes(tiny_cfg(NUM_GPUS=2, TRAIN__BATCH_SIZE=6)) == 3 * 3 * 4 * 32 * 32


def test_settings_must_gain_something():
    trials = [Trial("pyav", 0, 2, 10.0), Trial("torchcodec", 0, 2, 10.4), Trial("pyav", 1, 2, 10.6)]
    assert better(trials) is trials[2] and better(trials[:2]) is trials[0]
    assert worker_counts(1) == [1] and worker_counts(2) == [1, 2] and worker_counts(6) == [1, 2, 4, 6]


def test_tuning_tries_one_thing_after_the_other(tiny_cfg, monkeypatch):
    """Rates by hand: the second reader is faster, two workers are best, more prefetching gains nothing."""

    def rate(cfg, seconds):
        workers = cfg.DATA_LOADER.NUM_WORKERS
        return (20 if cfg.DATA.READER == "torchcodec" else 10) * (1 + min(workers, 2)) * seconds

    monkeypatch.setattr(loader_tuning, "clips_per_s", rate)
    monkeypatch.setattr(loader_tuning, "candidates", lambda cfg: ["pyav", "torchcodec"])
    monkeypatch.setattr(loader_tuning.distributed, "available_cores", lambda: 4)
    monkeypatch.setattr(loader_tuning, "construct_loader", lambda cfg, split: None)
    monkeypatch.setattr(loader_tuning, "time_stages", lambda *args, **kwargs: [])
    said = []

    def load(changes):
        return tiny_cfg(**{key.replace(".", "__"): value for key, value in changes.items()})

    best, trials, _ = tune(load, 1.0, say=said.append)
    assert best == Trial("torchcodec", 2, 2, 60.0)
    assert [(t.reader, t.num_workers, t.prefetch_factor) for t in trials] == [
        *(("pyav", 0, 2), ("torchcodec", 0, 2)),
        *(("torchcodec", workers, 2) for workers in (1, 2, 4)),
        ("torchcodec", 2, 4),
    ]
    assert len(said) == len(trials) == len(trials_table(trials).splitlines()) - 2


def test_a_rate_is_measured(tiny_cfg):
    assert np.isfinite(loader_tuning.clips_per_s(tiny_cfg(), 0.2))


def stages(decode_s=0.03, decode_cpu_s=0.03, transform_s=0.005):
    return [
        Measurement("loader: open", 1, [0.001], copies=0, cpu_s=0.001),
        Measurement("loader: decode", 1, [decode_s], copies=1, cpu_s=decode_cpu_s),
        Measurement("loader: transform", 1, [transform_s], copies=1, cpu_s=transform_s),
        Measurement("loader: collate", 4, [0.002], copies=1),
        Measurement("loader: copy", 4, [0.002], copies=1),
    ]


@pytest.mark.parametrize(
    ("best", "rows", "parts"),
    [
        (
            Trial("pyav", 4, 2, 90.0),
            stages(),
            ["37.0 ms a clip", "4 times", "4 CPU core(s) bound", "decode most", "JPEG"],
        ),
        (Trial("pyav", 4, 2, 90.0), stages(transform_s=0.1), ["transform most", "smaller short side"]),
        (Trial("pyav", 2, 2, 90.0), stages(), ["More than 2 worker(s) do not help"]),
        (Trial("pyav", 4, 2, 90.0), stages(decode_cpu_s=0.01), ["Storage bounds", "54%", "local disk"]),
        (Trial("pyav", 4, 8, 90.0), stages(), ["/dev/shm", "1.0 GiB", "0.5 GiB are free"]),
    ],
)
def test_what_bounds_the_loader(best, rows, parts):
    text = " ".join(bound(best, rows, cores=4, batch_bytes=2**25, free_bytes=2**29))
    assert all(part in text for part in parts), text
