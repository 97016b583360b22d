"""A run that is killed and started again ends with the same bits as one that was left alone."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch


def start(repo, options, **how):
    command = [sys.executable, "tools/run_net.py", "--cfg", "configs/Toy/xvit_toy.yaml"]
    command += [str(word) for pair in options.items() for word in pair]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=repo, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def kill_inside_an_epoch(process, folder, position):
    """SIGKILL as soon as `last` names a checkpoint inside an epoch beyond `position`; the name."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        last = folder / "checkpoints" / "last"
        name = last.read_text().strip() if last.exists() else ""
        if "_iter_" in name and name > position:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    return name


def assert_same(a, b, where=""):
    """Equal to the bit, however deep."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            assert_same(x, y, f"{where}/{i}")
    else:
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, where


@pytest.fixture
def options(tiny_options):
    """Everything on that draws or counts: dropout, drop path, mixup, accumulation, average, workers, saving often."""
    return tiny_options | {
        "MIXUP.ENABLE": True,
        "MODEL.DROPOUT_RATE": 0.3,
        "XVIT.BACKBONE.DROP_PATH_RATE": 0.3,
        "SOLVER.ACCUMULATE_STEPS": 2,
        "SOLVER.EMA_DECAY": 0.9,
        "SOLVER.LAYER_DECAY": 0.8,
        "SOLVER.MAX_EPOCH": 4,
        "TRAIN.BATCH_SIZE": 2,
        "TRAIN.EVAL_PERIOD": 2,
        "TRAIN.CHECKPOINT_PERIOD_ITERS": 1,
        "DATA_LOADER.NUM_WORKERS": 2,
        "TEST.ENABLE": False,
    }


def test_killed_twice_inside_an_epoch(repo, options, tmp_path):
    finish(start(repo, options | {"OUTPUT_DIR": tmp_path / "whole"}))
    cut = options | {"OUTPUT_DIR": tmp_path / "cut"}
    position = ""
    for _ in range(2):
        position = kill_inside_an_epoch(start(repo, cut), tmp_path / "cut", position)
    output = finish(start(repo, cut))
    assert "resumed from" in output and "_iter_" in output
    name = "checkpoints/checkpoint_epoch_00004.pyth"
    whole, resumed = (torch.load(tmp_path / run / name, weights_only=True) for run in ("whole", "cut"))
    for payload in (whole, resumed):
        payload.pop("cfg")  # names the folder
    assert_same(whole, resumed)
    lines = [(tmp_path / run / "metrics.jsonl").read_text().splitlines() for run in ("whole", "cut")]
    steps = [[line.split('"loss"')[0] for line in run if '"train"' not in line] for run in lines]
    assert steps[0] == steps[1]  # no epoch and no validation is missing or stands twice
