"""The benchmark job measures what there is: a part that is slowed down becomes what bounds the run."""

import json
import time

import pytest

from slowfast.datasets.video_dataset import VideoDataset
from slowfast.engine.benchmark import benchmark
from slowfast.engine.processes.launch import launch
from slowfast.models.xvit import XViT

ROWS = [
    *("loader: open", "loader: decode", "loader: transform", "loader: collate", "loader: copy", "loader"),
    *("model: forward", "model: forward + backward", "whole step"),
]


@pytest.fixture
def result(tiny_cfg, tmp_path):
    """result(slow loader seconds a clip, slow model seconds a call) is benchmark.json."""

    def run(monkeypatch, loader_s=0.0, model_s=0.0):
        for cls, name, seconds in ((VideoDataset, "_read", loader_s), (XViT, "forward", model_s)):
            monkeypatch.setattr(cls, name, slowed(getattr(cls, name), seconds))
        assert launch(benchmark, tiny_cfg(BENCHMARK__NUM_WARMUP=1, BENCHMARK__NUM_ITERS=5)) == 0
        assert not (tmp_path / "run/checkpoints").exists()
        return json.loads((tmp_path / "run/benchmark.json").read_text())

    return run


def slowed(function, seconds):
    def slow(*args):
        time.sleep(seconds)
        return function(*args)

    return slow


def test_a_slow_loader_bounds_the_run(result, monkeypatch):
    found = result(monkeypatch, loader_s=0.1)
    assert found["verdict"].startswith("The loader bounds this run")
    assert "DATA_LOADER.NUM_WORKERS" in found["verdict"]
    assert [row["name"] for row in found["measurements"]] == ROWS
    rows = {row["name"]: row for row in found["measurements"]}
    assert rows["loader"]["clips"] == 4 and rows["loader"]["median_s"] >= 0.4
    assert rows["whole step"]["median_s"] >= 0.4
    assert all(row["iters"] == 5 for row in rows.values())
    assert rows["model: forward"]["peak_bytes"] > 2**20


def test_a_slow_model_bounds_the_run(result, monkeypatch):
    found = result(monkeypatch, model_s=0.5)
    assert found["verdict"].startswith("The model bounds this run")
    assert "smaller model" in found["verdict"]
