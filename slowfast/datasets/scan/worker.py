"""The inside of a guarded worker process: takes tasks one by one and keeps itself within their bounds."""

import os
import resource
import signal
from contextlib import suppress
from functools import cache

import psutil

READY, EXTEND, DONE, FAILED = "ready", "extend", "done", "failed"  # kinds of message
_ORPHAN_SECONDS = 30  # past its time, a task that nobody watches any more ends its process


def serve(connection, function, seconds, memory):
    """Answer every task that comes until the other end is closed; for the meaning, see `guard.guarded_map`.

    Args:
        connection: gives tasks, takes (kind, content).
        seconds, memory: bounds of one task; memory in bytes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that watches ends this one
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _be_quiet()

    def allow(more):
        _set_alarm(signal.getitimer(signal.ITIMER_REAL)[0] + more)
        connection.send((EXTEND, more))

    connection.send((READY, None))
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        _set_alarm(seconds + _ORPHAN_SECONDS)
        _limit_memory(memory)
        kind, content = _call(function, task, allow)
        _limit_memory(None)
        _set_alarm(0)
        connection.send((kind, content))
        if kind == FAILED:
            return


def _call(function, task, allow):
    try:
        return DONE, function(task, allow)
    except MemoryError:
        return FAILED, ("memory", "")
    except Exception as error:
        return FAILED, ("error", f"{type(error).__name__}: {error}")


def _set_alarm(seconds):
    """End the process from within, even inside a decoder that never returns, should nobody do it from outside."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(size):
    """Let allocations fail beyond `size` bytes more than are held now; None lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard
    if size is not None:
        held = getattr(_usage().memory_info(), "data", None)  # only where the system counts what the limit counts
        if held is not None and (hard == resource.RLIM_INFINITY or held + size < hard):
            soft = held + size
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@cache
def _usage():
    return psutil.Process()


def _be_quiet():
    """Decoders write what they think of a file past Python, and a crash leaves its memory on the disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
