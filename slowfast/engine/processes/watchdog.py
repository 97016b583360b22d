"""Notices that a run stands still, finds out whose fault it is, says so and ends the process."""

import json
import os
import threading
from contextlib import contextmanager

from slowfast.engine.processes import failures
from slowfast.utils.errors import EXIT_LOST

PHASES = ("loading", "forward", "backward", "updating", "saving", "validating", "testing", "gathering")  # in this order
SHARE = 0.65  # of DIST.TIMEOUT_SEC, after which standing still is a stall; the rest is for saying whose, and ending
PATIENCE_SEC = 5.0  # at most: for a store that may not answer, and for a process to end by itself after another failed


class Watchdog:
    """Two threads of a process: one looks at its progress, one tells the other processes of it.

    Every process stands still when one does, so the one at fault is found by comparison: it no longer talks to the
    store (stopped, dead), or it is less far than all others.

    Args:
        timeout_sec: DIST.TIMEOUT_SEC.
        rank, world_size: this process among all.
        store: torch.distributed store that all processes share; None for a single process.
        report: called with (text, echo) before the process ends; echo: another process tells the same.
        launcher: the process without which this one shall not live on, by its id; None: none.
    """

    def __init__(self, timeout_sec, rank=0, world_size=1, store=None, report=lambda text, echo: None, *, launcher=None):
        self.timeout_sec = timeout_sec
        self.interval = min(1.0, timeout_sec / 50)
        self.patience_sec = min(PATIENCE_SEC, timeout_sec / 20)
        self.launcher = launcher
        self.rank = rank
        self.world_size = world_size
        self.store = store
        self.report = report
        self.position = {"phase": "starting"}
        self.clips = None
        self.beats = 0
        self.closed = threading.Event()
        self.threads = [threading.Thread(target=self._watch, name="watchdog", daemon=True)]
        if store is not None:
            self.threads.append(threading.Thread(target=self._talk, name="heartbeat", daemon=True))

    def beat(self, phase, clips=None, **where):
        kept = {} if "step" in where else self.position
        self.position = {**kept, "phase": phase, **where}
        if clips is not None:
            self.clips = clips
        self.beats += 1

    def _watch(self):
        seen, still_sec = self.beats, 0.0
        while not self.closed.wait(self.interval):
            if self.beats != seen or not self.beats:  # before the first beat weights may be on their way for minutes
                seen, still_sec = self.beats, 0.0
            else:  # counted in own turns, not by the clock: a suspended and resumed job has not stalled
                still_sec += self.interval
            if still_sec >= SHARE * self.timeout_sec:
                self._end(*self._explain(still_sec))
            if self.launcher not in (None, os.getppid()):
                self.report(f"process {self.rank} of {self.world_size} ended because its launcher was killed", False)
                os._exit(EXIT_LOST)

    def _explain(self, still_sec):
        """(text, whether another process says it)."""
        head = f"no progress for {still_sec:.0f} s (DIST.TIMEOUT_SEC {self.timeout_sec})"
        if self.store is None:
            return f"{head}: {_describe(self.position)}{self._clips(self.rank, self.position)}", False
        posts = _with_timeout(self._two_looks, self.patience_sec + 6 * self.interval)
        if posts is None:
            return f"{head}: the process that keeps the others' meeting place (rank 0) does not answer", False
        silent, positions = posts
        suspects, waiting = find_suspects(silent, positions)
        lines = [head]
        for rank in suspects:
            state = "no longer answers (stopped, dead or cut off), last" if rank in silent else "is"
            where = _describe(positions[rank]) if rank in positions else "never heard of"
            clips = self._clips(rank, positions.get(rank, self.position))
            lines.append(f"process {rank} of {self.world_size} {state} {where}{clips}")
        if waiting:
            lines.append(f"process(es) {', '.join(map(str, waiting))} wait for it {_describe(positions[waiting[0]])}")
        speaker = min(set(range(self.world_size)) - set(silent), default=self.rank)
        return "\n".join(lines), speaker != self.rank

    def _clips(self, rank, position):
        if self.clips is None:
            return ""
        try:
            return f"; rows (from 0) of its videos in the split: {self.clips(rank, position)}"
        except Exception as error:  # whatever it is, it must not keep a stalled process alive
            return f"; its videos are unknown: {error!r}"

    def _two_looks(self):
        """(ranks that posted nothing new in between, rank -> last position)."""
        first = self._posts()
        self.closed.wait(4 * self.interval)
        last = self._posts()
        silent = [rank for rank in range(self.world_size) if rank not in last or last[rank] == first.get(rank)]
        return silent, {rank: position for rank, (_, position) in last.items()}

    def _posts(self):
        keys = {rank: f"position/{rank}" for rank in range(self.world_size)}
        return {rank: json.loads(self.store.get(key)) for rank, key in keys.items() if self.store.check([key])}

    def _talk(self):
        count = echoes = 0
        while not self.closed.wait(self.interval):
            try:
                count += 1
                self.store.set(f"position/{self.rank}", json.dumps([count, self.position]))
                failure = failures.first(self.store)
            except RuntimeError:  # the store is gone with the process that kept it: the reductions will say so
                return
            if failure is not None and failure[0] != self.rank:
                echoes += 1
                if echoes * self.interval >= self.patience_sec:
                    self._end(failures.echo_text(*failure), True)

    def _end(self, text, echo):
        if self.store is not None and not echo:
            _with_timeout(lambda: failures.post(self.store, self.rank, text), self.patience_sec)
        self.report(text, echo)
        os._exit(EXIT_LOST)


def find_suspects(silent, positions):
    """Whose fault a stall is.

    Args:
        silent: ranks that no longer talk.
        positions: rank -> {"phase", "step", ...} as last told.
    Returns:
        (suspects, waiting): the silent ones, else the least advanced ones, all of them if they are at the same point;
        and the ranks that wait for these.
    """
    if silent:
        return silent, [rank for rank in positions if rank not in silent]
    order = {rank: _order(position) for rank, position in positions.items()}
    least = min(order.values())
    suspects = [rank for rank in order if order[rank] == least]
    return suspects, [rank for rank in order if rank not in suspects]


def _order(position):
    phase = position["phase"]
    return position.get("step", -1), PHASES.index(phase) if phase in PHASES else -1, position.get("batch", -1)


def _describe(position):
    where = ", ".join(f"{name} {value}" for name, value in position.items() if name != "phase")
    return f"at {position['phase']}" + (f" ({where})" if where else "")


def _with_timeout(function, seconds):
    """Its result, or None where it takes longer or fails: a store whose keeper is stopped does not answer."""
    results = []

    def run():
        try:
            results.append(function())
        except RuntimeError:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else None


_watchdog = None


@contextmanager
def watching(timeout_sec, **arguments):
    """While the context is open, this process is watched; see `Watchdog` for the arguments."""
    global _watchdog
    _watchdog = watchdog = Watchdog(timeout_sec, **arguments)
    for thread in watchdog.threads:
        thread.start()
    try:
        yield
    finally:
        _watchdog = None
        watchdog.closed.set()
        for thread in watchdog.threads:
            thread.join(timeout=1.0)


def beat(phase, clips=None, **where):
    """Tell that the process goes on; costs about a microsecond.

    Args:
        phase: one of PHASES.
        clips: function (rank, position) -> video rows of that process's batch there, position as told by `where`;
            None: as before.
        where: numbers that place it: epoch, step, batch, micro_step. Those told before stay, unless `step` is given.
    """
    if _watchdog is not None:
        _watchdog.beat(phase, clips, **where)


def watched_batches(phase, loader, batches):
    """Iterate `batches`, an iterable over the `loader` of an evaluation, and tell where it is."""
    sampler, views = loader.batch_sampler, loader.dataset.num_views

    def rows(rank, position):
        return sorted({item // views for item in sampler.batch_items(position.get("batch", 0), rank)})

    beat(phase, rows, batch=0)
    for number, batch in enumerate(batches, start=1):
        yield batch
        beat(phase, batch=number)
