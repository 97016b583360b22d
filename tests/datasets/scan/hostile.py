"""Functions for guarded workers that do what broken decoders do; importable by name, so that workers find them."""

import ctypes
import mmap
import os
import signal
import time

from slowfast.datasets.scan import probe


def behave(task, allow):
    """What the task says: (deed, argument)."""
    deed, argument = task
    return DEEDS[deed](argument, allow)


def _double(number, allow):
    return 2 * number


def _sleep(seconds, allow):
    time.sleep(seconds)
    return "slept"


def _ask_for_time_then_sleep(seconds, allow):
    allow(60)
    return _sleep(seconds, allow)


def _hold_the_interpreter(seconds, allow):
    """Sleep inside C without letting any other Python code run, as a decoder in an endless loop does."""
    return ctypes.PyDLL(None).sleep(seconds)


def _allocate_for_ever(block, allow):
    held = []
    while True:
        held.append(b"x" * block)


def _allocate_in_c(block, allow):
    """malloc and touch until it says no, then die of it, as most C code does."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    while True:
        libc.memset(libc.malloc(block), 1, block)


def _allocate_shared(block, allow):
    """Memory that the worker's own limit does not count."""
    held = []
    while True:
        held.append(mmap.mmap(-1, block))
        held[-1].write(b"x" * block)


def _segfault(_, allow):
    ctypes.string_at(0)


def _exit(code, allow):
    os._exit(code)


def _kill_itself(_, allow):
    os.kill(os.getpid(), signal.SIGKILL)


def _raise(text, allow):
    raise ValueError(text)


def _open_a_pipe(path, allow):
    with open(path, "rb") as file:
        return file.read()


def _process_id(_, allow):
    return os.getpid()


def _print_and_write(text, allow):
    print(text, flush=True)
    os.write(2, text.encode())
    return "said"


DEEDS = {
    "double": _double,
    "sleep": _sleep,
    "ask for time, then sleep": _ask_for_time_then_sleep,
    "hold the interpreter": _hold_the_interpreter,
    "allocate": _allocate_for_ever,
    "allocate in C": _allocate_in_c,
    "allocate shared": _allocate_shared,
    "segfault": _segfault,
    "exit": _exit,
    "kill itself": _kill_itself,
    "raise": _raise,
    "open": _open_a_pipe,
    "process id": _process_id,
    "print": _print_and_write,
}


def look_at(task, allow):
    """As the doctor does, but what a file's name says happens to those that read it."""
    name = os.path.basename(task.path)
    if name.startswith("sleeps"):
        time.sleep(3600)
    if name.startswith("allocates"):
        _allocate_for_ever(1 << 23, allow)
    if name.startswith("crashes"):
        _segfault(None, allow)
    if name.startswith("confuses"):
        raise ValueError("could not broadcast")
    return probe.look_at(task, allow)
