"""Videos -> smaller H.264 files of the same names and times, which decode faster; what a worker does, and the run."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from slowfast.datasets.packing.encode import CHUNK, chosen_frames
from slowfast.datasets.packing.jobs import (
    SECONDS_A_FRAME,
    keep_options,
    output_folder,
    run_guarded,
    whole_file,
    write_list,
    write_unreadable,
)
from slowfast.datasets.readers import open_reader
from slowfast.utils.errors import ReadError, UserError
from slowfast.utils.logging import get_logger

OPTIONS = "resize.json"
_TICKS = 90_000  # a second; the time base of the files that are written


def resize_video(task, allow):
    """Write task["out"], an MP4 of H.264 without sound, whole or not at all.

    Args:
        task: dict of "path", "out", "short_side" or "height" (px, the other None), "fps" (at most, or None), "crf"
            (quality of H.264, lower is better) and "key_frames" (frames from one to the next).
        allow: function of seconds, asks for more time.
    Returns:
        (dict of what was written, "") or (None, why it could not be read).
    """
    try:
        with open_reader(task["path"]) as reader, whole_file(task["out"]) as temporary:
            written = _encode(reader, temporary, task, allow)
            with open_reader(temporary, "pyav") as copy:
                if len(copy) != written["frames"]:
                    return None, f"{written['frames']} frames were written, {len(copy)} can be read"
            return written, ""
    except ReadError as error:
        return None, error.reason


def _encode(reader, path, task, allow):
    indices, fps = chosen_frames(reader, task["fps"])
    fps = fps or task["fps"] or 30
    times = np.arange(len(indices)) / fps if reader.timestamps is None else reader.timestamps[indices]
    ticks = np.rint((times - times[0]) * _TICKS).astype(np.int64)
    ticks = np.maximum.accumulate(ticks - np.arange(len(ticks))) + np.arange(len(ticks))  # no two at the same time
    width, height = even_size(reader.size, task["short_side"], task["height"])
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(task["crf"]), "g": str(task["key_frames"]), "threads": "1"}
        stream.codec_context.time_base = Fraction(1, _TICKS)
        stream.codec_context.gop_size = task["key_frames"]
        for start in range(0, len(indices), CHUNK):
            chunk = indices[start : start + CHUNK]
            allow(len(chunk) * SECONDS_A_FRAME)
            for pixels, tick in zip(reader.get(chunk, min(width, height)), ticks[start:]):
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                picture = picture.reformat(width, height, "yuv420p")  # to even sizes
                picture.pts, picture.time_base = int(tick), Fraction(1, _TICKS)
                container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return {"frames": len(indices), "width": width, "height": height}


def even_size(size, short_side=None, height=None):
    """(width, height) in px, both even, scaled to the short side or the height; never up."""
    goal, side = (short_side, min(size)) if height is None else (height, size[1])
    scale = min(1, goal / side)
    return tuple(max(2, 2 * round(length * scale / 2)) for length in size)


def resize_all(names, out, *, lists, workers, **options):
    """Resize videos into folder `out`; those that are there and newer than their source are kept.

    Args:
        names: dict path of a video -> its path below `out`, any ending (".mp4" takes its place).
        lists: list of (name of a list, list of Record): written again for the new files.
        workers: processes.
        options: short_side, height, fps, crf, key_frames of `resize_video`.
    Returns: number of videos that could not be read.
    Raises: UserError: unusable folder, or two videos of one name.
    """
    if "libx264" not in av.codecs_available:
        raise UserError(f"PyAV {av.__version__} has no libx264 here. Install PyAV's own wheel: pip install av")
    with output_folder(out) as folder:
        keep_options(folder / OPTIONS, options)
        targets = {path: str(Path(name).with_suffix(".mp4")) for path, name in names.items()}
        if len(set(targets.values())) < len(targets):
            raise UserError("two videos differ only in their ending; resize them into folders of their own")
        tasks = [
            {"path": path, "out": str(folder / target), **options}
            for path, target in targets.items()
            if not _is_newer(folder / target, path)
        ]
        lost = {}
        for task, written, reason in run_guarded(resize_video, tasks, workers=workers, title="resizing"):
            if written is None:
                lost[task["path"]] = reason
                get_logger().error(f"{task['path']}: {reason}")
        for name, records in lists:
            write_list(folder / name, [(targets[r.path], r.label) for r in records if r.path not in lost])
        write_unreadable(folder / "unreadable.csv", list(lost.items()))
        get_logger().info(f"{len(targets) - len(lost)} videos in {folder}, {len(tasks)} looked at, {len(lost)} lost")
        return len(lost)


def _is_newer(target, source):
    try:
        return os.path.getmtime(target) >= os.path.getmtime(source)
    except OSError:
        return False
