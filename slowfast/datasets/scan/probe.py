"""Looks at one video as training will read it, and says in plain words what is wrong with it."""

import os
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass

from slowfast.datasets.readers import open_reader
from slowfast.datasets.scan.containers import cut_short, explain
from slowfast.datasets.scan.pictures import check_pictures
from slowfast.utils.errors import ReadError
from slowfast.utils.io import sha256_file

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
        path: of the file or folder, or `file/key` of a pack.
        reader: DATA.READER.
        full: decode every frame, not only the first, the middle and the last.
        known: the (bytes, mtime_ns) for which the answer is known already; None if it is not.
        frames: paths of its pictures, where a list names them.
    """

    path: str
    reader: str = "auto"
    full: bool = False
    known: tuple | None = None
    frames: tuple | None = None


@dataclass(frozen=True)
class Finding:
    """What one video is like.

    Attributes:
        status: ok, partial (something of it can be read), unreadable or missing; None = unchanged since it was `known`.
        reason: what is wrong and what to do; "" where nothing is.
        frames, fps, width, height, seconds: of the video, upright; None where unknown. With `full`, frames is what
            came out of the decoder.
        bytes, mtime_ns: of the file, its state when it was looked at; over all pictures of a folder or a list.
        is_file: the video is a file of its own.
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
    is_file: bool = False
    lasting: bool = True

    def as_dict(self):
        return asdict(self)


def look_at(task, allow):
    """Finding for a Task, for `guard.guarded_map`. Changes nothing."""
    try:
        states = _states(task)
        mark = {"bytes": sum(s.st_size for s in states), "mtime_ns": max((s.st_mtime_ns for s in states), default=0)}
        if task.known == (mark["bytes"], mark["mtime_ns"]):
            return Finding(None, **mark)
        wrong_kind = next((name for is_kind, name in _KINDS if is_kind(states[0].st_mode)), None)
        if wrong_kind:
            return Finding(UNREADABLE, f"{wrong_kind}, not a video file; take it out of the list", **mark)
        mark["is_file"] = task.frames is None and os.path.isfile(task.path)
        allow(mark["bytes"] / (FULL_RATE if task.full else QUICK_RATE))
        if mark["is_file"]:
            with open(task.path, "rb") as file:
                file.read(1)
    except OSError as error:
        return _no_access(task.path, error)
    return Finding(**_describe(task), **mark)


def hash_file(path, allow):
    """Hex SHA-256 of a file, for `guard.guarded_map`; None where it cannot be read."""
    try:
        allow(os.path.getsize(path) / QUICK_RATE)
        return sha256_file(path)
    except OSError:
        return None


def _states(task):
    """os.stat of what holds the video; of a folder or list of pictures, also of these, as far as they are there."""
    if task.frames is None:
        state = _stat_holder(task.path)
        if not stat.S_ISDIR(state.st_mode):
            return [state]
        with os.scandir(task.path) as entries:
            return [state, *(entry.stat() for entry in entries if entry.is_file())]
    states = []
    for frame in task.frames:
        with suppress(FileNotFoundError):
            states.append(os.stat(frame))
    if not states:
        raise FileNotFoundError(task.frames[0] if task.frames else task.path)
    return states


def _stat_holder(path):
    """os.stat of a file, or of the pack before the key in `pack.h5/key`."""
    try:
        return os.stat(path)
    except NotADirectoryError:
        return _stat_holder(os.path.dirname(path))


def _no_access(path, error):
    if isinstance(error, PermissionError):
        return Finding(UNREADABLE, "no permission to read it; ask its owner, or chmod a+r", lasting=False)
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        if os.path.islink(path):
            where = os.readlink(path)
            return Finding(MISSING, f"a link to {where}, where nothing is; mend the link or mount the disk")
        return Finding(MISSING, "no such file; is the path right, the disk mounted, the download complete?")
    return Finding(UNREADABLE, f"{error.strerror or error}; the disk or the name is at fault", lasting=False)


def _describe(task):
    """Finding's fields status to seconds, of what can be opened."""
    path = task.path
    try:
        with open_reader(path, task.reader, task.frames) as reader:
            pictures = check_pictures(path, reader, task.full)
            facts = {"frames": pictures.frames, **_times(reader), **_size(reader)}
    except ReadError as error:
        return {"status": UNREADABLE, "reason": explain(path, error.reason), "frames": 0}
    reason = "; ".join(filter(None, [cut_short(path), *pictures.problems, _gaps(task.frames)]))
    if not reason:
        return {"status": OK, **facts}
    return {
        "status": PARTIAL if pictures.any_come else UNREADABLE,
        "reason": explain(path, reason, opened=True),
        **facts,
    }


def _times(reader):
    times, fps = reader.timestamps, reader.fps
    if times is None or not fps:
        return {"fps": fps, "seconds": len(reader) / fps if fps else None}
    return {"fps": float(fps), "seconds": float(times[-1] - times[0]) + 1 / float(fps)}


def _size(reader):
    try:
        width, height = reader.size
    except ReadError:  # not even the first frame: said already
        return {}
    return {"width": int(width), "height": int(height)}


def _gaps(frames):
    """Text if listed pictures are not there, else ""."""
    missing = [frame for frame in frames or () if not os.path.exists(frame)]
    return f"{len(missing)} of {len(frames)} pictures are missing, the first is {missing[0]}" if missing else ""
