"""Processes of our own: started together, told of signals, ended together, in the words of the first that failed."""

import signal
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing import connection

import torch.multiprocessing as mp

from slowfast.engine.processes import failures
from slowfast.utils.errors import EXIT_LOST, EXIT_PREEMPTED, EXIT_USAGE, JobError, UserError
from slowfast.utils.logging import get_logger
from slowfast.utils.signals import SignalCounter, end_with_parent

LOOK_SEC = 1.0  # where a process's data workers outlive it, they keep its sentinel from telling of its end


class ToParent:
    """A spawned process's end: what it has to say about its end; `connection` also brings the parent's signals."""

    def __init__(self, connection):
        self.connection = connection

    def failed(self, text, echo, user=False):
        """Args: text; echo: only tells of another process's failure; user: a UserError."""
        self.connection.send({"text": text, "echo": echo, "user": user})

    def done(self, code):
        self.connection.send({"code": code})


@dataclass
class _Child:
    process: mp.Process
    connection: connection.Connection
    rank: int
    code: int | None = None  # that its job returned
    spoke: bool = False  # told how it failed
    killed: bool = False  # by this parent
    gone: bool = False  # ended, and all that it said was heard


@dataclass
class _Outcome:
    """Failures in the order in which they were noticed: dicts as in `ToParent.failed`."""

    failures: list = field(default_factory=list)
    signals: int = 0

    def first(self):
        """The failure that the others follow from; None without any."""
        return next((failure for failure in self.failures if not failure["echo"]), next(iter(self.failures), None))


def run_spawned(member, arguments, *, deadline_sec, grace_sec):
    """Call member(*arguments[i], ToParent) in a process each.

    Args:
        member: importable; returns an exit code. arguments[i][-1] is the process's Place.
        deadline_sec: seconds from a signal until the processes must be gone.
        grace_sec: seconds that the others get to say and do after one has failed.
    Returns:
        the first process's exit code; EXIT_PREEMPTED if a signal ended them.
    Raises:
        UserError, JobError: from the process that failed first.
    """
    context = mp.get_context("spawn")
    children = []
    with SignalCounter() as signals:
        for words in arguments:
            here, there = context.Pipe()
            process = context.Process(target=_run, args=(member, words, there))
            process.start()
            there.close()
            children.append(_Child(process, here, words[-1].rank))
        try:
            outcome = _attend(children, signals, deadline_sec, grace_sec)
        finally:
            _kill(children)
    first = outcome.first()
    if _left(children, outcome, first):
        if first is not None and not first["echo"]:
            get_logger().error(first["text"])
        return EXIT_PREEMPTED
    if first is not None:
        raise (UserError if first["user"] else JobError)(first["text"])
    return children[0].code


def _left(children, outcome, first):
    """Whether the run ended because it was asked to: as a whole, or in one process, so that the others lost it."""
    left = any(EXIT_PREEMPTED in (child.code, child.process.exitcode) for child in children)
    failed = first is not None and not first["echo"]
    if outcome.signals:
        late = any(child.killed for child in children)  # beyond the deadline
        return left or (late and not failed)
    return left and not failed


def _run(member, arguments, parent):
    """What a spawned process does."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends all
    parent = ToParent(parent)
    rank, world_size = arguments[-1].rank, arguments[-1].world_size
    try:
        parent.done(member(*arguments, parent))
    except UserError as error:
        parent.failed(str(error), echo=False, user=True)
        raise SystemExit(EXIT_USAGE) from None
    except JobError as error:
        parent.failed(str(error), echo=True)
        raise SystemExit(EXIT_LOST) from None
    except Exception as error:
        text = f"process {rank} of {world_size} failed:\n{traceback.format_exc()}"
        parent.failed(text, echo=failures.is_echo(error))
        raise SystemExit(EXIT_LOST) from None


def _attend(children, signals, deadline_sec, grace_sec):
    """Until all have ended: pass signals on, collect what they say, end the rest some time after one has failed."""
    outcome, end_at = _Outcome(), None
    while staying := [child for child in children if not child.gone]:
        left = LOOK_SEC if end_at is None else min(LOOK_SEC, max(0.0, end_at - time.monotonic()))
        connections = [child.connection for child in staying if not child.connection.closed]
        connection.wait([signals.reader, *(child.process.sentinel for child in staying), *connections], left)
        if (count := signals.collect()) > outcome.signals:
            outcome.signals = count
            for child in staying:
                _send(child, count)
            if end_at is None:
                end_at = time.monotonic() + deadline_sec + grace_sec
        for child in staying:
            outcome.failures += _listen(child)
        if outcome.failures:
            end_at = min(end_at or float("inf"), time.monotonic() + grace_sec)
        if end_at is not None and time.monotonic() >= end_at:
            _kill(children)
    return outcome


def _listen(child):
    """Failures that a child told of, or that its end shows."""
    found = []
    ended = child.process.exitcode is not None  # asked first: all that it said is in the pipe by then
    try:
        while not child.connection.closed and child.connection.poll():
            message = child.connection.recv()
            if "code" in message:
                child.code = message["code"]
            else:
                child.spoke = True
                found.append(message)
    except (EOFError, OSError):
        child.connection.close()
    child.gone = ended
    explained = child.spoke or child.killed or child.code is not None or child.process.exitcode == EXIT_PREEMPTED
    if ended and not explained:
        child.spoke = True
        found.append({"text": _last_sign(child), "echo": child.process.exitcode > 0, "user": False})
    return found


def _last_sign(child):
    code = child.process.exitcode
    if code >= 0:
        return f"process {child.rank} ended with exit code {code} and without a word"
    name = signal.Signals(-code).name
    hint = "; if nobody did that, the machine ran out of memory" if name == "SIGKILL" else ""
    return f"process {child.rank} was ended by {name}{hint}"


def _send(child, count):
    try:
        child.connection.send(count)
    except OSError:  # it ended meanwhile
        pass


def _kill(children):
    """SIGKILL: it also ends a process that is stopped or stuck; files are replaced whole, so nothing is torn."""
    for child in children:
        if child.process.is_alive():
            child.killed = True
            child.process.kill()
    for child in children:
        child.process.join()
