"""SIGKILL to a rank at any moment: the others end, and the same command ends with the bits of an uncut run.

5 moments by default; --faults N adds random ones (make test-faults).
"""

import io
import os
import signal
import time

import numpy as np
import pytest
import torch

from slowfast.engine.saving import checkpoints
from tests.distributed.ranks import at, end_by
from tests.engine.test_resume import assert_same

STEPS = 8
# where, at which step (phases) or save (all else, counted from 1), which rank of how many
CHOSEN = [
    ("forward", 3, 1, 3),
    ("backward", 6, 0, 2),
    ("half of a file", 2, 0, 2),
    ("file without pointer", 4, 0, 2),
    ("validating", 4, 1, 2),
]
PHASES = ("loading", "forward", "backward", "updating")
SAVING = ("half of a file", "file without pointer", "pruning")
DIE = end_by(signal.SIGKILL)


def random_moment(seed):
    rng = np.random.default_rng(seed)
    kind = str(rng.choice([*PHASES, "validating", *SAVING, "any time"]))
    world_size = int(rng.integers(2, 5))
    rank = 0 if kind in SAVING else int(rng.integers(world_size))
    last = STEPS - 2 if kind in SAVING else STEPS  # some saves of the same step are one
    step = STEPS // 2 * int(rng.integers(1, 3)) if kind == "validating" else int(rng.integers(1, last + 1))
    return kind, step, rank, world_size


def pytest_generate_tests(metafunc):
    if "moment" in metafunc.fixturenames:
        number = metafunc.config.getoption("faults")
        moments = CHOSEN[:number] + [random_moment(seed) for seed in range(number - len(CHOSEN))]
        metafunc.parametrize("moment", moments, ids=["-".join(map(str, moment)) for moment in moments])


def plan(kind, count, rank):
    """`prepare` for Ranks: die at this moment."""
    if kind in (*PHASES, "validating"):
        return at(kind, count, DIE, rank)

    def prepare(number):
        if number != rank:
            return
        if kind == "half of a file":
            checkpoints.torch.save = _nth_call(torch.save, count, _write_half)
        elif kind == "file without pointer":
            checkpoints.atomic_write_text = _nth_call(checkpoints.atomic_write_text, count, lambda *words: DIE())
        elif kind == "pruning":
            checkpoints.Checkpointer._prune = _nth_call(checkpoints.Checkpointer._prune, count, lambda *words: DIE())
        else:  # seconds from now: somewhere in the run
            if os.fork() == 0:
                time.sleep(0.25 * count)
                os.kill(os.getppid(), signal.SIGKILL)
                os._exit(0)

    return prepare


def _nth_call(function, count, fault):
    calls = []

    def call(*words):
        calls.append(words)
        return fault(*words) if len(calls) == count else function(*words)

    return call


def _write_half(payload, file):
    whole = io.BytesIO()
    save(payload, whole)
    file.write(whole.getvalue()[: whole.tell() // 2])
    file.flush()
    DIE()


save = torch.save


@pytest.fixture
def full_cfg(run_cfg):
    """full_cfg(name, world_size, ...): 8 steps; everything on that draws or counts (dropout, drop path, mixup, cutmix,
    moving average, accumulation); validation halfway and at the end; a checkpoint a step."""

    def load(name, world_size, **changes):
        epochs = 2 if world_size == 2 else 4
        options = {
            "DIST__TIMEOUT_SEC": 30,  # no launcher looks after these ranks: those that wait for each other end by this
            "TRAIN__BATCH_SIZE": 2 * world_size,
            "TRAIN__EVAL_PERIOD": epochs // 2,
            "TRAIN__CHECKPOINT_PERIOD_ITERS": 1,
            "CHECKPOINT__KEEP_LAST": 2,
            "SOLVER__ACCUMULATE_STEPS": 2,
            "SOLVER__MAX_EPOCH": epochs,
            "SOLVER__EMA_DECAY": 0.9,
            "MIXUP__ENABLE": True,
            "MODEL__DROPOUT_RATE": 0.3,
            "XVIT__BACKBONE__DROP_PATH_RATE": 0.3,
        }
        return run_cfg(name, **(options | changes))

    return load


_uncut = {}


@pytest.fixture
def uncut(full_cfg, start, last_state, moment):
    """The last state of a run on as many ranks that nobody disturbed."""
    world_size = moment[-1]
    if world_size not in _uncut:
        ranks = start(full_cfg("uncut", world_size), world_size)
        assert ranks.wait() == [0] * world_size, ranks.errors
        _uncut[world_size] = last_state("uncut")
    return _uncut[world_size]


def test_killed(full_cfg, start, last_state, uncut, moment, tmp_path):
    kind, count, rank, world_size = moment
    cfg = full_cfg("cut", world_size, CHECKPOINT__ASYNC=count % 2 == 0)
    killed = start(cfg, world_size, prepare=plan(kind, count, rank))
    codes = killed.wait()
    assert codes[rank] == -signal.SIGKILL or kind == "any time", (codes, killed.errors)
    assert all(code in (1, -signal.SIGKILL) or kind == "any time" for code in codes), (codes, killed.errors)
    assert not any("Traceback" in text for text in killed.errors), killed.errors
    resumed = start(cfg, world_size)
    assert resumed.wait() == [0] * world_size, resumed.errors
    assert_same(last_state("cut"), uncut)
    names = {path.name for path in (tmp_path / "cut/checkpoints").iterdir()}
    assert len(names) == 4 and {"last", "best.pyth"} < names, names  # two kept, nothing unfinished
