"""A rank that stands still, fails or meets a loss that is no number: who it was, where, and with which videos."""

import json
import os
import signal
import time

import pytest
import torch

from slowfast.engine.guard import StepRecord
from slowfast.engine.processes.watchdog import find_suspects
from slowfast.utils.errors import UserError
from tests.distributed.ranks import at

TIMEOUT_SEC = 5


@pytest.fixture
def cfg(run_cfg):
    def load(**changes):
        return run_cfg("run", SOLVER__MAX_EPOCH=2, DIST__TIMEOUT_SEC=TIMEOUT_SEC, TRAIN__BATCH_SIZE=6, **changes)

    return load


def test_a_stopped_rank_is_named(cfg, start):
    ranks = start(cfg(), 3, prepare=at("forward", 3, lambda: os.kill(os.getpid(), signal.SIGSTOP), rank=1))
    began = time.monotonic()
    while [rank.poll() for rank in ranks.ranks].count(None) > 1 and time.monotonic() - began < 30:
        time.sleep(0.05)
    assert ranks.ranks[1].poll() is None  # stopped: its parent or SLURM ends it
    text = ranks.errors[0]
    for part in ("process 1 of 3 no longer answers", "DIST.TIMEOUT_SEC 5", "step 3", "rows (from 0)", "0, 2 wait"):
        assert part in text, text


def test_a_rank_that_waits_for_ever_is_named(cfg, start):
    """It answers, but is behind: a decoder or a disk that hangs, say."""
    ranks = start(cfg(), 2, prepare=at("loading", 4, lambda: time.sleep(60), rank=1))
    codes = ranks.wait(timeout=30)
    assert codes == [1, 1], ranks.errors
    assert "process 1 of 2 is at loading (epoch 1, step 4)" in ranks.errors[0], ranks.errors


def test_the_words_of_the_rank_that_failed(cfg, start):
    def fail():
        raise UserError("this rank's disk is gone")

    ranks = start(cfg(), 3, prepare=at("backward", 2, fail, rank=2))
    assert ranks.wait(timeout=30) == [1, 1, 2], ranks.errors
    assert all("this rank's disk is gone" in text for text in ranks.errors)
    assert "ended because process 2 failed" in ranks.errors[0]


def test_the_black_box_of_all_ranks(cfg, start, tmp_path, monkeypatch):
    """One rank's loss is no number; both tell their videos, and end at the same step."""
    finite = StepRecord.nonfinite

    def prepare(rank):
        def nonfinite(record):
            if rank == 1 and record.step == 2:
                record.losses[0] = torch.tensor(float("nan"))
            return finite(record)

        StepRecord.nonfinite = nonfinite

    ranks = start(cfg(TRAIN__CHECKPOINT_PERIOD_ITERS=1), 2, prepare=prepare)
    assert ranks.wait(timeout=30) == [2, 2], ranks.errors
    found = json.loads((tmp_path / "run/nonfinite_step_00000003.json").read_text())
    assert [process["finite"] for process in found["processes"]] == [True, False]
    rows = [row for process in found["processes"] for rows in process["rows"] for row in rows]
    assert len(set(rows)) == 6 and found["gradient_norms"]
    assert "checkpoint_epoch_00000_iter_00000002.pyth" in ranks.errors[0]


@pytest.mark.parametrize(
    "silent, positions, suspects, waiting",
    [
        ([2], {0: ("forward", 3), 1: ("forward", 3), 2: ("forward", 3)}, [2], [0, 1]),
        ([], {0: ("backward", 3), 1: ("forward", 3)}, [1], [0]),
        ([], {0: ("loading", 4), 1: ("updating", 3)}, [1], [0]),
        ([], {0: ("backward", 3), 1: ("backward", 3)}, [0, 1], []),
    ],
)
def test_whose_fault_it_is(silent, positions, suspects, waiting):
    told = {rank: {"phase": phase, "step": step} for rank, (phase, step) in positions.items()}
    assert find_suspects(silent, told) == (suspects, waiting)
