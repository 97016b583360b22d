"""Looks at every video of a set once, in guarded processes, and tells which files have the same content."""

from collections import defaultdict
from dataclasses import dataclass

import av

from slowfast.datasets.scan.guard import Bounds, guarded_map
from slowfast.datasets.scan.probe import OK, PARTIAL, UNREADABLE, Finding, Task, hash_file, look_at

MEBIBYTE = 1 << 20
_RULES = 1  # goes up when the same file would be judged differently: old journals are then worth nothing


@dataclass(frozen=True)
class Video:
    """What is read for one video: `path`, or `frames` where a list names its pictures."""

    path: str
    frames: tuple | None = None

    @classmethod
    def of(cls, record):
        return cls(record.path, None if record.frames is None else tuple(map(str, record.frames)))


@dataclass(frozen=True)
class ScanOptions:
    """How videos are looked at.

    Attributes:
        reader: DATA.READER.
        full: decode every frame.
        workers: processes.
        seconds: a file may take, beside what its size allows it.
        memory_mb: MiB that reading one file may take.
    """

    reader: str = "auto"
    full: bool = False
    workers: int = 1
    seconds: float = 60.0
    memory_mb: int = 2048

    @property
    def bounds(self):
        return Bounds(self.seconds, self.memory_mb * MEBIBYTE)

    def judged_by(self):
        """What a journal's findings depend on."""
        return {"reader": self.reader, "full": self.full, "av": av.__version__, "rules": _RULES}


def look_at_all(videos, options, journal, look=look_at):
    """Yield (Video, Finding) for each of distinct videos, in the order in which they end.

    What the journal knows and has not changed since is not looked at again.

    Args: look: function (Task, allow) -> Finding, importable by name.
    """
    tasks = {}
    for video in videos:
        known = journal.finding(video.path)
        mark = (known.bytes, known.mtime_ns) if known else None
        tasks[Task(video.path, options.reader, options.full, mark, video.frames)] = video
    for task, outcome in guarded_map(look, tasks, workers=options.workers, bounds=options.bounds):
        finding = _failed(outcome, options) if outcome.failure else outcome.value
        if finding.status is None:
            finding = journal.finding(task.path)
        elif finding.lasting:
            journal.add_finding(task.path, finding)
        yield tasks[task], finding


def _failed(outcome, options):
    """Finding for a video at which a worker failed."""
    if outcome.failure == "time":
        reason = f"reading it took more than {options.seconds:g} s (--timeout): it hangs, or the disk is slow"
        return Finding(UNREADABLE, reason, lasting=False)
    if outcome.failure == "memory":
        reason = f"reading it takes more than {options.memory_mb} MiB (--memory): damaged, or very large pictures"
        return Finding(UNREADABLE, reason, lasting=False)
    if outcome.failure == "crash":
        what = f"the decoder crashed on it ({outcome.detail})"
        if "SIGKILL" in outcome.detail:
            what += ": the system had no memory left, perhaps; try again with fewer --workers"
        else:
            what += ": damaged; download or encode it again"
        return Finding(UNREADABLE, what, lasting=False)
    return Finding(UNREADABLE, f"the reader failed on it ({outcome.detail}); encode it again", lasting=False)


def same_size(findings):
    """Videos among dict Video -> Finding whose content may be the same as another one's."""
    by_size = defaultdict(list)
    for video, finding in findings.items():
        if finding.status in (OK, PARTIAL) and finding.is_file:
            by_size[finding.bytes].append(video)
    return [video for videos in by_size.values() if len(videos) > 1 for video in videos]


def hash_all(videos, findings, options, journal):
    """Yield (Video, hex SHA-256 of its file) for each; "" where that could not be read this time."""
    unknown = {}
    for video in videos:
        digest = journal.hash(video.path, findings[video])
        if digest:
            yield video, digest
        else:
            unknown[video.path] = video
    for path, outcome in guarded_map(hash_file, unknown, workers=options.workers, bounds=options.bounds):
        if outcome.value:
            journal.add_hash(path, findings[unknown[path]], outcome.value)
        yield unknown[path], outcome.value or ""


def distinct_videos(records):
    """Videos of an iterable of Record, each once, in their order."""
    return list(dict.fromkeys(map(Video.of, records)))
