"""Looks at one video as training will read it, and says in plain words what is wrong with it."""

import math
import os
import stat
from dataclasses import asdict, dataclass

from slowfast.datasets.readers import open_reader
from slowfast.datasets.scan.containers import cut_short, explain
from slowfast.datasets.scan.pictures import check_pictures
from slowfast.utils.errors import ReadError

OK, PARTIAL, UNREADABLE, MISSING = "ok", "partial", "unreadable", "missing"
QUICK_RATE, FULL_RATE = 2_000_000, 100_000  # bytes a second; a large file has this much more time
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Task:
    """One video to look at.

    Attributes:
        path: of the file or folder.
        reader: DATA.READER.
        full: decode every frame, not only the first, the middle and the last.
        known: the (bytes, mtime_ns) for which the answer is known already; None if it is not.
    """

    path: str
    reader: str = "auto"
    full: bool = False
    known: tuple | None = None


@dataclass(frozen=True)
class Finding:
    """What one video is like.

    Attributes:
        status: ok, partial (something of it can be read), unreadable or missing; None = unchanged since it was `known`.
        reason: what is wrong and what to do; "" where nothing is.
        frames, fps, width, height, seconds: of the video, upright; None where unknown. With `full`, frames is what
            came out of the decoder.
        bytes, mtime_ns: of the file, its state when it was looked at.
        lasting: the answer follows from the file's content, and holds until that changes.
    """

    status: str | None
    reason: str = ""
    frames: int | None = None
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    bytes: int | None = None
    mtime_ns: int | None = None
    lasting: bool = True

    def as_dict(self):
        return asdict(self)


def look_at(task, allow):
    """Finding for a Task, for `guard.guarded_map`. Changes nothing."""
    try:
        state = os.stat(task.path)
        mark = {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns}
        if task.known == (state.st_size, state.st_mtime_ns):
            return Finding(None, **mark)
        for is_kind, name in _KINDS:
            if is_kind(state.st_mode):
                return Finding(UNREADABLE, f"{name}, not a video file; take it out of the list", **mark)
        if stat.S_ISREG(state.st_mode):
            allow(state.st_size / (FULL_RATE if task.full else QUICK_RATE))
            with open(task.path, "rb") as file:
                file.read(1)
    except OSError as error:
        return _no_access(task.path, error)
    return Finding(**_describe(task.path, task.reader, task.full), **mark)


def _no_access(path, error):
    if isinstance(error, PermissionError):
        return Finding(UNREADABLE, "no permission to read it; ask its owner, or chmod a+r", lasting=False)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if os.path.islink(path):
            where = os.readlink(path)
            return Finding(MISSING, f"a link to {where}, where nothing is; mend the link or mount the disk")
        return Finding(MISSING, "no such file; is the path right, the disk mounted, the download complete?")
    return Finding(UNREADABLE, f"{error.strerror or error}; the disk or the name is at fault", lasting=False)


def _describe(path, kind, full):
    """Finding's fields status to seconds, of what can be opened."""
    try:
        with open_reader(path, kind) as reader:
            pictures = check_pictures(path, reader, full)
            facts = {"frames": pictures.frames, **_times(reader), **_size(reader)}
    except ReadError as error:
        return {"status": UNREADABLE, "reason": explain(path, error.reason), "frames": 0}
    problems = [cut_short(path), *pictures.problems]
    reason = "; ".join(filter(None, problems))
    if not reason:
        return {"status": OK, **facts}
    return {"status": PARTIAL if pictures.any_come else UNREADABLE, "reason": explain(path, reason), **facts}


def _times(reader):
    times, fps = reader.timestamps, float(reader.fps)
    seconds = float(times[-1] - times[0]) + (1 / fps if fps > 0 else 0)
    return {"fps": fps if math.isfinite(fps) else None, "seconds": seconds if math.isfinite(seconds) else None}


def _size(reader):
    try:
        width, height = reader.size
    except ReadError:  # not even the first frame: said already
        return {}
    return {"width": int(width), "height": int(height)}
