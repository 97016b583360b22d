"""Runs a function over many tasks in worker processes, so that no task can hang, exhaust or kill the whole.

Nothing here knows of videos. A worker has one task at a time; where it goes past its bounds in time or memory, or its
process dies, the worker is replaced and the task has an outcome that says so.
"""

import multiprocessing
import signal
import time
from collections import deque
from dataclasses import dataclass
from multiprocessing import connection

import psutil

from slowfast.datasets.scan.worker import DONE, EXTEND, FAILED, READY, serve

_LOOK_SECONDS = 0.2  # between two looks at memory and time
_START_SECONDS = 120  # for a worker to be ready: it imports the package
_START_TRIES = 3
_DIE_SECONDS = 1  # for a killed process to go; one stuck inside the operating system is left behind


@dataclass(frozen=True)
class Bounds:
    """What one task may take: seconds, and bytes of memory on top of what a worker holds anyway."""

    seconds: float
    memory: int


@dataclass(frozen=True)
class Outcome:
    """How a task ended: `failure` "" and the function's value, or what failed.

    failure is "time" or "memory" (a bound was passed), "crash" (the process died; `detail` says how) or "error" (the
    function raised; `detail` is the exception).
    """

    value: object = None
    failure: str = ""
    detail: str = ""


def guarded_map(function, tasks, *, workers, bounds):
    """Yield (task, Outcome) for every task, in the order in which they end.

    Args:
        function: `function(task, allow)`, importable by name; `allow(seconds)` gives this task so much more time.
        tasks: iterable of what can be pickled.
        workers: number of processes, at least 1.
        bounds: Bounds of one task.
    Raises:
        RuntimeError: workers do not start; nothing can be said of the tasks then.
    """
    waiting = deque(tasks)
    pool = _Pool(function, bounds, _context(function))
    try:
        pool.start(min(workers, len(waiting)))
        while waiting or pool.busy:
            pool.hand_out(waiting)
            yield from pool.collect()
    finally:
        pool.kill_all()


def _context(function):
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([serve.__module__, function.__module__])  # imported once, not by every worker
    return context


class _Pool:
    """The workers that are alive."""

    def __init__(self, function, bounds, context):
        self.function = function
        self.bounds = bounds
        self.context = context
        self.workers = []
        self.failed_starts = 0

    @property
    def busy(self):
        return any(worker.task is not None for worker in self.workers)

    def start(self, number):
        self.workers += [_Worker(self.function, self.bounds, self.context) for _ in range(number)]

    def hand_out(self, waiting):
        for worker in self.workers:
            if waiting and worker.ready and worker.task is None:
                worker.give(waiting.popleft())

    def collect(self):
        """Wait a moment; yield what has ended meanwhile, and replace the workers that are gone."""
        ready = connection.wait([worker.connection for worker in self.workers], timeout=_LOOK_SECONDS)
        for worker in list(self.workers):
            outcome = worker.read() if worker.connection in ready else worker.look()
            if outcome is not None:
                yield worker.task.pop(), outcome
                worker.task = None
            if worker.gone:
                self._replace(worker)

    def _replace(self, worker):
        worker.kill()
        self.workers.remove(worker)
        self.failed_starts = 0 if worker.ready else self.failed_starts + 1
        if self.failed_starts == _START_TRIES:
            raise RuntimeError(f"worker processes do not start: {worker.end}")
        self.start(1)

    def kill_all(self):
        for worker in self.workers:
            worker.kill()


class _Worker:
    """One process and what it is doing.

    Attributes:
        ready: it has started and can take a task.
        task: [the task] while it works on one, else None.
        gone: it is dead, or has to die.
    """

    def __init__(self, function, bounds, context):
        self.bounds = bounds
        self.connection, child = context.Pipe()
        self.process = context.Process(target=serve, args=(child, function, bounds.seconds, bounds.memory), daemon=True)
        self.process.start()
        child.close()
        self.ready = False
        self.task = None
        self.gone = False
        self.next_look = time.monotonic() + _LOOK_SECONDS
        self.deadline = time.monotonic() + _START_SECONDS
        self.end = ""
        self._usage = None

    def give(self, task):
        self.task = [task]
        self.next_look = time.monotonic() + _LOOK_SECONDS
        self.deadline = time.monotonic() + self.bounds.seconds
        self.memory_at_start = self._memory()
        try:
            self.connection.send(task)
        except OSError:  # it died idle; reading from it will tell
            pass

    def read(self):
        """Take one message; returns the Outcome if it ends the task."""
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            return self._died()
        if kind == READY:
            self.ready = True
        elif kind == EXTEND:
            self.deadline += content
        elif kind == DONE:
            return Outcome(content)
        elif kind == FAILED:
            self.gone = True
            return Outcome(failure=content[0], detail=content[1])
        return None

    def look(self):
        """Outcome where a bound has been passed; looks now and then only, as that takes time."""
        now = time.monotonic()
        if now < self.next_look or (self.ready and self.task is None):
            return None
        self.next_look = now + _LOOK_SECONDS
        if now > self.deadline:
            self.gone, self.end = True, f"not ready after {_START_SECONDS} s"
            return Outcome(failure="time") if self.task else None
        if self.task and self._memory() - self.memory_at_start > self.bounds.memory:
            self.gone = True
            return Outcome(failure="memory")
        return None

    def kill(self):
        self.process.kill()
        self.process.join(_DIE_SECONDS)
        self.connection.close()

    def _died(self):
        self.process.join(_DIE_SECONDS)
        self.gone, self.end = True, describe_exit(self.process.exitcode)
        return Outcome(failure="crash", detail=self.end) if self.task else None

    def _memory(self):
        """Bytes in RAM; the worker's own limit comes first, this one is for platforms that do not keep it."""
        try:
            self._usage = self._usage or psutil.Process(self.process.pid)
            return self._usage.memory_info().rss
        except psutil.Error:
            return 0


def describe_exit(code):
    """In words, how a process ended: its exit code, or the signal that killed it."""
    if code is None:
        return "it closed its connection"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
