"""Do a video's pictures come out? A few of them through its reader, or all of them from end to end."""

import os
from dataclasses import dataclass

import av

from slowfast.datasets.scan.decode import decode_all
from slowfast.utils.errors import ReadError


@dataclass(frozen=True)
class Pictures:
    """What was found.

    Attributes:
        frames: of the video; after a decode from end to end, those that came out of the decoder.
        any_come: at least one sound picture can be had.
        problems: texts, in the order of their weight; empty where all is well.
    """

    frames: int
    any_come: bool
    problems: tuple = ()


def check_pictures(path, reader, full):
    """Pictures of an open video.

    Args:
        path: of the video that `reader` has open.
        full: decode every frame, not only the first, the middle and the last.
    """
    number = len(reader)
    if not full:
        looked_at = sorted({0, number // 2, number - 1})
        lost, reason = _lost_frames(reader, looked_at)
        if not lost:
            return Pictures(number, True)
        which = f"none of {_numbers(lost)} can" if lost == looked_at and number > 1 else f"{_numbers(lost)} cannot"
        return Pictures(number, lost != looked_at, (f"{which} be read ({reason})",))
    found = _decode(path)
    return _check_each(reader) if found is None else _compare(reader, found)


def _decode(path):
    """Decoded, or None where the video is no file of FFmpeg's (a folder of pictures, say)."""
    try:
        return decode_all(path) if os.path.isfile(path) else None
    except (av.error.FFmpegError, OSError, ValueError):
        return None


def _check_each(reader):
    lost, reason = _lost_one_by_one(reader, range(len(reader)))
    if not lost:
        return Pictures(len(reader), True)
    problem = f"{len(lost)} of {len(reader)} frames cannot be read, the first is frame {lost[0]} ({reason})"
    return Pictures(len(reader) - len(lost), len(lost) < len(reader), (problem,))


def _compare(reader, found):
    """A decode from end to end against what the reader says and gives."""
    number, problems = len(reader), []
    if found.damaged:
        problems.append(f"{found.damaged} of {found.frames} decoded frames are damaged")
    if found.lost:
        problems.append(f"{found.lost} {'packet' if found.lost == 1 else 'packets'} cannot be decoded")
    if found.broke_off:
        problems.append(f"reading stops after {found.frames} frames ({found.broke_off})")
    if problems and found.first_damage is not None:
        problems[-1] += f", the first at {found.first_damage:.1f} s"
    if found.unread:
        problems.append(f"the last {found.unread:,} bytes hold nothing that can be read")
    if found.frames != number:
        problems.append(f"{found.frames} of the {number} frames that are announced come out")
    if not problems:
        around_new_size = {frame for new in found.new_sizes[:1] for frame in (new - 1, new)}
        lost, reason = _lost_frames(reader, sorted({0, number // 2, number - 1} | around_new_size))
        if lost:
            problems.append(f"{_numbers(lost)} cannot be read ({reason})")
    return Pictures(found.frames, found.whole > 0, tuple(problems))


def _lost_frames(reader, frames):
    """(those that cannot be read, why not)."""
    try:
        reader.get(frames)
        return [], ""
    except ReadError:
        return _lost_one_by_one(reader, frames)


def _lost_one_by_one(reader, frames):
    lost, reason = [], ""
    for frame in frames:
        try:
            reader.get([frame])
        except ReadError as error:
            lost, reason = [*lost, frame], reason or error.reason
    return lost, reason


def _numbers(frames):
    return f"frame{'s' if len(frames) > 1 else ''} {', '.join(map(str, frames))}"
