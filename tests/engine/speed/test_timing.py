"""Timing: what counts as a sample, spread, table, and the sentence that follows from two rates."""

import time

import numpy as np
import pytest

from slowfast.engine.speed import timing
from slowfast.engine.speed.timing import Measurement, format_table, measure, smooth, summary, verdict


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when told: clock(seconds)."""
    now = [100.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_warmup_does_not_count(clock):
    durations = iter([9.0, 8.0, 1.0, 2.0, 3.0])
    assert measure(lambda: clock(next(durations)), warmup=2, iters=3) == [1.0, 2.0, 3.0]


def test_work_that_the_device_still_has_counts_where_it_belongs(clock):
    """Each call returns at once and leaves 2 s of work that only `synchronize` waits for."""
    pending = []

    def synchronize():
        while pending:
            clock(pending.pop())

    assert measure(lambda: pending.append(2.0), warmup=3, iters=2, synchronize=synchronize) == [2.0, 2.0]


def test_real_time_is_in_seconds():
    assert 0.01 <= min(measure(lambda: time.sleep(0.01), warmup=0, iters=2)) < 0.5


@pytest.mark.parametrize(("warmup", "iters"), [(-1, 1), (0, 0)])
def test_senseless_counts_are_refused(warmup, iters):
    with pytest.raises(ValueError, match=f"got {warmup} and {iters}"):
        measure(lambda: None, warmup=warmup, iters=iters)


def test_summary_equals_numpy_percentiles():
    samples = np.random.default_rng(0).gamma(2.0, size=31).tolist()
    found = summary(samples)
    ordered = sorted(samples)  # of 31 samples, percentiles 10, 50 and 90 are elements 3, 15 and 27
    np.testing.assert_allclose((found.p10, found.median, found.p90), (ordered[3], ordered[15], ordered[27]))
    assert summary([2.0]) == timing.Summary(2.0, 2.0, 2.0)


def test_bursts_of_workers_are_smoothed():
    bursts = [0.58, 0.01, 0.01] * 5 + [0.58]
    np.testing.assert_allclose(smooth(bursts, 3), [0.2] * 5)
    assert smooth([1.0, 2.0], 0) == [1.0, 2.0]
    assert smooth([1.0, 3.0], 5) == [2.0]


def test_measurement_as_plain_numbers():
    found = Measurement("forward", 8, [0.5, 0.4, 0.8], peak_bytes=2**30).to_dict()
    assert (found["name"], found["clips"], found["iters"], found["peak_bytes"]) == ("forward", 8, 3, 2**30)
    assert found["median_s"] == 0.5 and found["clips_per_s"] == 16.0
    assert found["p10_s"] == pytest.approx(0.42) and found["p90_s"] == pytest.approx(0.74)


def test_table():
    rows = [Measurement("loader", 8, [0.25]), Measurement("forward + backward", 8, [0.0625], 3 * 2**29)]
    assert format_table(rows).splitlines() == [
        "                      clips/s    ms (median)    ms (p10)    ms (p90)    peak GiB",
        "------------------  ---------  -------------  ----------  ----------  ----------",
        "loader                   32.0          250.0       250.0       250.0",
        "forward + backward      128.0           62.5        62.5        62.5        1.50",
    ]
    assert "GiB" not in format_table(rows[:1])
    assert "clips/s" in format_table([])


def say(loader, model, **options):
    sentence = verdict(loader, model, **({"num_workers": 2, "cpu_count": 8} | options))
    assert sentence.endswith(".") and sentence.count(". ") == 0  # one sentence
    return sentence


def test_the_slower_part_bounds_the_run():
    assert say(10, 40) == (
        "The loader bounds this run: the loader delivers 10.0 clips/s and the model takes 40.0, so the model would "
        "wait 75% of the time; raise DATA_LOADER.NUM_WORKERS from 2 to 8."
    )
    assert say(40, 10).startswith(
        "The model bounds this run: the loader delivers 40.0 clips/s and the model takes 10.0"
    )
    assert say(40, 41).startswith("Loader and model are balanced")
    assert say(41, 40).startswith("Loader and model are balanced")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"cpu_count": 64}, "from 2 to 4"),  # twice the rate wanted: twice the workers
        ({"cpu_count": 3}, "from 2 to 3"),  # no more workers than cores
        ({"cpu_count": 12, "num_processes": 4}, "from 2 to 3"),  # a process has its share of the cores
        ({"cpu_count": 2}, "store the videos with a smaller short side"),
        ({"cpu_count": 1}, "2 worker(s) already have all 1 CPU core(s)"),
        ({"num_workers": 0}, "NUM_WORKERS from 0 to 2"),
    ],
)
def test_advice_for_a_slow_loader(options, advice):
    sentence = say(10, 20, **options)
    assert sentence.startswith("The loader bounds this run") and advice in sentence


def test_without_workers_reading_and_computing_take_turns():
    slow_loader, slow_model = say(10, 20, num_workers=0), say(20, 10, num_workers=0)
    assert slow_loader.startswith("The loader bounds this run") and "waits for clips 67% of the time" in slow_loader
    assert slow_model.startswith("The model bounds this run") and "waits for clips 33% of the time" in slow_model
    assert "raise DATA_LOADER.NUM_WORKERS from 0 to 1" in slow_model


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"device": "cpu"}, "use a GPU"),
        ({"device": "cuda"}, "set TRAIN.PRECISION bf16"),
        ({"device": "cuda", "precision": "bf16"}, "use more GPUs (NUM_GPUS), fewer frames"),
    ],
)
def test_advice_for_a_slow_model(options, advice):
    assert advice in say(50, 10, **options)


def test_steps_that_neither_part_explains():
    options = {"device": "cuda", "step_clips_per_s": 12.0}
    assert say(60, 20, **options).startswith("Neither loader nor model bounds this run")
    assert say(60, 20, **(options | {"step_clips_per_s": 18.0})).startswith("The model bounds this run")
    assert say(60, 20, **(options | {"device": "cpu"})).startswith("The model")  # there both share the cores
