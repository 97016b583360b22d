"""Several gloo ranks without the seconds of starting Python anew: forked from the test's own process."""

import gc
import os
import signal
import time
import traceback
from dataclasses import dataclass

import torch._dynamo  # noqa: F401  # optimizers import it, seconds long: once here instead of in each rank
import torch.distributed as dist

from slowfast.engine.processes import launch, watchdog
from slowfast.engine.processes.places import Place
from slowfast.utils.errors import JobError, UserError
from slowfast.utils.logging import setup_logging

LOCALHOST = "127.0.0.1"
CRASHED = 3


@dataclass
class Rank:
    """A forked rank. code: exit code, negative for a signal; error: what it ended with, "" if nothing."""

    pid: int
    folder: object
    number: int
    code: int | None = None

    @property
    def error(self):
        path = self.folder / f"error_{self.number}.txt"
        return path.read_text() if path.exists() else ""

    def poll(self):
        """Its exit code; None while it lives."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)


class Ranks:
    """`world_size` ranks that run job(cfg, device) as `launch` would; see `wait`.

    Args:
        folder: for what they end with.
        prepare: called in each rank with its number before the job, e.g. to plan a fault.
    """

    def __init__(self, job, cfg, world_size, folder, prepare=lambda rank: None):
        self.store = dist.TCPStore(LOCALHOST, 0, world_size, is_master=True, wait_for_workers=False)
        url = f"{LOCALHOST}:{self.store.port}" if world_size > 1 else ""
        self.ranks = []
        gate, key = (
            os.pipe()
        )  # opens once all are forked: the store's threads must not be at work, locks in hand, before
        for number in range(world_size):
            place = Place(number, world_size, number, world_size, url)
            (folder / f"error_{number}.txt").unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                os.close(key)
                os.read(gate, 1)
                _run(job, cfg, place, folder, prepare)
            self.ranks.append(Rank(pid, folder, number))
        os.close(gate)
        os.close(key)

    def wait(self, timeout=180):
        """Until all have ended; their exit codes. Those that have not by then are killed."""
        end = time.monotonic() + timeout
        while any(rank.poll() is None for rank in self.ranks) and time.monotonic() < end:
            time.sleep(0.01)
        for rank in self.ranks:
            if rank.poll() is None:
                rank.kill()
                os.waitpid(rank.pid, 0)
                rank.code = -signal.SIGKILL
        return [rank.code for rank in self.ranks]

    @property
    def errors(self):
        return [rank.error for rank in self.ranks]


def _run(job, cfg, place, folder, prepare):
    """In the forked process; never returns."""
    code, text = CRASHED, ""
    gc.freeze()  # what the tests left behind has threads in the tests' process alone: never to be destroyed here
    try:
        launch._joined.clear()
        setup_logging(cfg.OUTPUT_DIR if place.rank == 0 else None, quiet=True)
        prepare(place.rank)
        code = launch.take_part(job, cfg, place, _Report(folder, place.rank) if place.world_size > 1 else None)
    except UserError as error:
        code, text = 2, str(error)
    except JobError as error:
        code, text = 1, str(error)
    except BaseException:
        text = traceback.format_exc()
    finally:
        _tell(folder, place.rank, text)
        os._exit(code)


class _Report:
    """Stands in for the parent of a spawned rank."""

    connection = None

    def __init__(self, folder, rank):
        self.folder, self.rank = folder, rank

    def failed(self, text, echo):
        _tell(self.folder, self.rank, text)


def _tell(folder, rank, text):
    if text:
        (folder / f"error_{rank}.txt").write_text(text)


def at(phase, step, action, rank=None):
    """A `prepare` for Ranks: call action() when a rank enters a phase of an optimizer step, counted from 1; None: any.

    rank: only in this one; None: in all.
    """

    def prepare(number):
        if rank is not None and number != rank:
            return
        tell = watchdog.beat
        running = {}

        def beat(name, clips=None, **where):
            tell(name, clips, **where)
            running.update(where)
            if name == phase and step in (None, running.get("step")):
                action()

        watchdog.beat = beat

    return prepare


def end_by(number):
    """An action: this process gets the signal, for certain before anything else happens."""
    return lambda: (os.kill(os.getpid(), number), time.sleep(0.05))
