"""How a parent hears of its processes' ends."""

import multiprocessing as mp
import os
import signal

from slowfast.engine.processes.spawning import _attend, _Child
from slowfast.utils.signals import SignalCounter


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_died_before_anybody_looked():
    """Its death must not be missed: what the others say is only that they lost it."""
    here, there = mp.Pipe()
    process = mp.get_context("fork").Process(target=die)
    process.start()
    process.join()
    there.close()
    with SignalCounter() as signals:
        outcome = _attend([_Child(process, here, 1)], signals, deadline_sec=5, grace_sec=1)
    assert [failure["text"].split(";")[0] for failure in outcome.failures] == ["process 1 was ended by SIGKILL"]
    assert not outcome.first()["echo"]
