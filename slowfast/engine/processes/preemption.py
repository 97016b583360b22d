"""Leaving when asked: SIGUSR1 or SIGTERM let a job save and end with exit code 75; a later one ends it at once."""

import os
import threading
import time
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path

from slowfast.utils.errors import EXIT_LOST, EXIT_PREEMPTED
from slowfast.utils.io import atomic_write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.signals import SignalCounter

ECHO_SEC = 2.0  # a batch system tells shell, step and process tree: what comes so soon after a signal is the same one
MARKER = "PREEMPTED"  # file in OUTPUT_DIR, for launchers that swallow exit codes


class Preempted(Exception):
    """Raised inside a job that was asked to leave."""


class _Listener(threading.Thread):
    """Hears signals, of this process and those that the parent tells of, and ends the process where it must.

    Args:
        signals: open SignalCounter.
        output_dir: where the marker goes.
        deadline_sec: seconds from the first signal until the process ends in any case.
        parent: multiprocessing Connection on which the parent tells how many signals it got; None: no parent.
    """

    def __init__(self, signals, output_dir, deadline_sec, parent=None):
        super().__init__(name="preemption", daemon=True)
        self.signals = signals
        self.output_dir = output_dir
        self.deadline_sec = deadline_sec
        self.parent = parent
        self.polite = False  # True while the job itself looks at `requested`
        self.requested = False
        self.closing = False

    def run(self):
        told, leave_at, echo_end, heard = 0, None, None, 0
        sources = [self.signals.reader] + ([self.parent] if self.parent is not None else [])
        while not self.closing:  # its wake-up may have been taken in with another signal, a worker's end say
            left = None if leave_at is None else max(0.0, leave_at - time.monotonic())
            ready = connection.wait(sources, left)
            if self.closing:
                return
            if self.parent in ready:
                told = self._hear_parent()
            count = max(self.signals.collect(), told)  # one signal to the whole process tree arrives twice
            if count >= 1 and not self.requested:
                self.requested = True
                echo_end = time.monotonic() + ECHO_SEC
                leave_at = time.monotonic() + self.deadline_sec
                if self.polite:
                    get_logger().info(f"{self._first_signal()}: saving, then leaving")
            if count >= 1 and not self.polite:
                self._leave(f"{self._first_signal()}: left at once, this job has nothing to save")
            if count > heard >= 1 and time.monotonic() > echo_end:
                self._leave("second signal: left at once")
            heard = count
            if leave_at is not None and time.monotonic() >= leave_at:
                late = f"not done {self.deadline_sec} s after {self._first_signal()} (DIST.PREEMPT_DEADLINE_SEC)"
                self._leave(f"{late}: left")

    def _hear_parent(self):
        try:
            return self.parent.recv()
        except (EOFError, OSError):  # the parent is gone: nobody would end this process any more
            os._exit(EXIT_LOST)

    def _first_signal(self):
        return self.signals.names[0] if self.signals.names else "signal"

    def _leave(self, reason):
        write_marker(self.output_dir, reason)  # whichever process it is: the others only lose this one
        os.write(2, f"{reason}; the last good checkpoint stays\n".encode())
        os._exit(EXIT_PREEMPTED)


_listener = None


@contextmanager
def listening(output_dir, deadline_sec, parent=None):
    """While the context is open, SIGUSR1 and SIGTERM are requests to leave. For the main thread of each process."""
    global _listener
    with SignalCounter() as signals:
        _listener = _Listener(signals, output_dir, deadline_sec, parent)
        _listener.start()
        try:
            yield
        finally:
            _listener.closing = True
            signals.wake()
            _listener.join()
            _listener = None


@contextmanager
def politely():
    """Inside, a first signal only sets `requested`; the job looks at it and leaves by itself, everything saved.

    After an exception that stays so: launchers send SIGTERM to the others when one process fails, and a run that failed
    was not asked to leave.
    """
    if _listener is not None:
        _listener.polite = True
    yield
    if _listener is not None:
        _listener.polite = False


def requested():
    """Whether this process was asked to leave. Others may not know yet: processes agree before they act on it."""
    return _listener is not None and _listener.requested


def write_marker(output_dir, text):
    """OUTPUT_DIR/PREEMPTED says that the same command should be started again."""
    try:
        atomic_write_text(Path(output_dir) / MARKER, f"{text}\n")
    except OSError as error:
        os.write(2, f"cannot write {Path(output_dir) / MARKER}: {error}\n".encode())


def ensure_marker(output_dir):
    if not (Path(output_dir) / MARKER).exists():
        write_marker(output_dir, "asked to leave, ended beyond the deadline")


def remove_marker(output_dir):
    (Path(output_dir) / MARKER).unlink(missing_ok=True)
