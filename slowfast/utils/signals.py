"""Signals that ask a run to leave, counted even while the main thread is deep in C++ code."""

import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading

SIGNALS = (signal.SIGUSR1, signal.SIGTERM)
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class SignalCounter:
    """Counts SIGNALS that reach this process while the context is open; outside the main thread it counts nothing.

    Python runs signal handlers between two byte codes of the main thread, which may be minutes away in a stuck
    reduction. Here the handler does nothing: Python also writes the signal's number into a socket at once, where any
    thread can see it.

    Signals that `hold` noted before are counted too.

    Attributes:
        reader: socket that becomes readable when a signal came, or when `wake` was called.
        names: of the signals so far, e.g. ["SIGTERM"].
    """

    def __init__(self):
        self.reader, self._writer = socket.socketpair()
        self.names = []
        self._handlers = {}

    def __enter__(self):
        for end in (self.reader, self._writer):
            end.setblocking(False)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._handlers[number] = signal.signal(number, _nothing)
                signal.siginterrupt(number, False)  # files that are being read go on
            self._old_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            _leave_to_parent()
            if _held:
                self.names += _held
                _held.clear()
                self.wake()
        return self

    def __exit__(self, *exception):
        if self._handlers:
            signal.set_wakeup_fd(self._old_fd)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
        self.reader.close()
        self._writer.close()

    def wake(self):
        """Make `reader` readable without a signal."""
        self._writer.send(b"\0")

    def collect(self):
        """Take in what has come since the last call; how many signals there were so far."""
        try:
            received = self.reader.recv(4096)
        except BlockingIOError:
            received = b""
        self.names += [signal.Signals(number).name for number in received if number in SIGNALS]
        return len(self.names)


def hold():
    """From now on, SIGNALS that come while nobody counts are noted for the next `SignalCounter`.

    Without it they would end a process that is still importing, or between two jobs, as if it had failed.
    """
    for number in SIGNALS:
        signal.signal(number, _note)


def ignore():
    """From now on, SIGNALS do nothing: what was asked for is done, and a last one must not make it look like a failure.

    Python gives signals back to the system while it ends, which would end the process by them.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _note(number, frame):
    _held.append(signal.Signals(number).name)


_held = []  # names of signals that came while nobody counted


def end_with_parent():
    """On Linux, this process is killed as soon as the one that started it is gone, however that one ended.

    Otherwise the workers of a killed process would keep its memory and its pipes for seconds.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if multiprocessing.parent_process().pid != os.getppid():  # it was gone before
            os._exit(0)


def shield_data_worker():
    """For the start of a loader's worker: a signal to the whole process tree must not cost the running batches.

    The training process decides when to leave, and its workers end with it: SIGTERM counts from that process alone.
    """
    end_with_parent()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_heed_parent, name="signals", daemon=True).start()


def _heed_parent():
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def _nothing(number, frame):
    pass


def _leave_to_parent():
    """What this process forks from now on must not write into its socket."""
    global _forks_are_told
    if not _forks_are_told:
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
        _forks_are_told = True


_forks_are_told = False
