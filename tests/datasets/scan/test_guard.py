"""Guarded workers: whatever a task does, it alone has an outcome that says so, and all others are done."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from slowfast.datasets.scan import worker
from slowfast.datasets.scan.guard import Bounds, guarded_map
from tests.datasets.scan.hostile import behave

MEBIBYTE = 1 << 20
BOUNDS = Bounds(seconds=1.0, memory=200 * MEBIBYTE)


def run(tasks, workers=2, bounds=BOUNDS):
    return dict(guarded_map(behave, tasks, workers=workers, bounds=bounds))


def test_values():
    tasks = [("double", n) for n in range(50)]
    assert {task: outcome.value for task, outcome in run(tasks).items()} == {("double", n): 2 * n for n in range(50)}


def test_no_tasks():
    assert run([]) == {}


@pytest.mark.parametrize(
    "deed, argument, failure, detail",
    [
        ("sleep", 3600, "time", ""),
        ("hold the interpreter", 3600, "time", ""),
        ("allocate", 8 * MEBIBYTE, "memory", ""),
        ("allocate in C", 8 * MEBIBYTE, "crash", "SIGSEGV"),
        ("allocate shared", 8 * MEBIBYTE, "memory", ""),
        ("segfault", None, "crash", "SIGSEGV"),
        ("exit", 3, "crash", "exit code 3"),
        ("exit", 0, "crash", "exit code 0"),
        ("kill itself", None, "crash", "SIGKILL"),
        ("raise", "nonsense", "error", "ValueError: nonsense"),
    ],
)
def test_a_bad_task_between_good_ones(deed, argument, failure, detail):
    """One worker: the good tasks after the bad one need a new one."""
    tasks = [("double", 1), (deed, argument), ("double", 2), ("double", 3)]
    outcomes = run(tasks, workers=1)
    assert [outcomes["double", n].value for n in (1, 2, 3)] == [2, 4, 6]
    bad = outcomes[deed, argument]
    assert (bad.failure, bad.value) == (failure, None)
    assert detail in bad.detail


def test_pipe_without_a_writer(tmp_path):
    pipe = str(tmp_path / "clip.mp4")
    os.mkfifo(pipe)
    outcomes = run([("open", pipe), ("double", 1)])
    assert outcomes["open", pipe].failure == "time"
    assert outcomes["double", 1].value == 2


def test_slow_tasks_run_side_by_side_and_are_given_time():
    start = time.monotonic()
    outcomes = run([("ask for time, then sleep", 1.5), ("sleep", 3600), ("sleep", 3601)], workers=3)
    assert outcomes["ask for time, then sleep", 1.5].value == "slept"
    assert time.monotonic() - start < 20


def test_memory_of_one_task_does_not_count_for_the_next():
    """Python keeps some of what a task has freed."""
    held = [("double", "x" * (20 * MEBIBYTE + n)) for n in range(6)]
    assert all(not outcome.failure for outcome in run(held, workers=1, bounds=Bounds(30, 200 * MEBIBYTE)).values())


def test_workers_are_kept_from_task_to_task_and_gone_at_the_end():
    ids = {
        outcome.value
        for _, outcome in guarded_map(behave, [("process id", n) for n in range(6)], workers=1, bounds=BOUNDS)
    }
    assert len(ids) == 1
    assert not psutil.pid_exists(ids.pop())


def test_workers_are_gone_when_the_caller_stops_early():
    outcomes = guarded_map(behave, [("process id", 0), ("sleep", 3600)], workers=1, bounds=Bounds(3600, MEBIBYTE))
    process = next(outcomes)[1].value
    outcomes.close()
    assert not psutil.pid_exists(process)


def test_what_decoders_print_is_not_heard(capfd):
    assert run([("print", "noise")])["print", "noise"].value == "said"
    assert "noise" not in "".join(capfd.readouterr())


def test_workers_end_by_themselves_when_the_scan_is_killed(repo):
    """The one that waits for a task, at once."""
    code = (
        "from slowfast.datasets.scan.guard import *\n"
        "from tests.datasets.scan.hostile import behave\n"
        "import os\n"
        "if __name__ == '__main__':\n"
        "    tasks = [('process id', 0), ('sleep', 1)]\n"
        "    for _, outcome in guarded_map(behave, tasks, workers=1, bounds=Bounds(99, 1 << 30)):\n"
        "        print(outcome.value, flush=True)\n"
        "        os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, timeout=60)
    process = int(ended.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(process)


def test_a_stuck_worker_ends_by_itself_when_nobody_watches(monkeypatch):
    """As when the scan is killed while a decoder hangs: SIGALRM ends it."""
    monkeypatch.setattr(worker, "_ORPHAN_SECONDS", 0.3)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=worker.serve, args=(theirs, behave, 0.2, 1 << 30), daemon=True)
    process.start()
    try:
        assert ours.recv() == (worker.READY, None)
        for task, expected in ((("double", 4), 8), (("sleep", 0.1), "slept")):
            ours.send(task)
            assert ours.recv() == (worker.DONE, expected)
        time.sleep(0.8)
        assert process.is_alive()  # idle, it may wait as long as it likes
        ours.send(("hold the interpreter", 3600))
        process.join(10)
        assert process.exitcode == -signal.SIGALRM
    finally:
        process.kill()
