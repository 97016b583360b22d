"""One video -> one HDF5 file of its frames as JPEG; what a worker does."""

import hashlib

import cv2
import h5py
import numpy as np

from slowfast.datasets import sampling
from slowfast.datasets.packing.jobs import SECONDS_A_FRAME, whole_file
from slowfast.datasets.readers import open_reader
from slowfast.utils.errors import ReadError

FRAMES = "frames"  # the data set's key in a file of one video
CHUNK = 256  # frames that are decoded at a time
# Attributes beyond 64 KiB (times of long videos of a varying rate) need the file format of HDF5 1.10.
LIBVER = ("v110", "v110")


def encode_video(task, allow):
    """Write task["part"], a file of one video, whole or not at all.

    Args:
        task: dict of "path", "part", "short_side" (px or None: as stored), "quality" (1 to 100) and "fps" (frames a
            second at most, or None).
        allow: function of seconds, asks for more time.
    Returns:
        (dict of what was written, "") or (None, why it could not be read).
    """
    try:
        with open_reader(task["path"]) as reader, whole_file(task["part"]) as temporary:
            with h5py.File(temporary, "w", libver=LIBVER) as file:
                return _write(file, reader, task, allow), ""
    except ReadError as error:
        return None, error.reason


def _write(file, reader, task, allow):
    indices, fps = chosen_frames(reader, task["fps"])
    width, height = reader.size
    short_side = None if task["short_side"] is None else min(task["short_side"], width, height)
    frames = file.create_dataset(FRAMES, (len(indices),), dtype=h5py.vlen_dtype(np.uint8))
    digest = hashlib.sha256()
    for start in range(0, len(indices), CHUNK):
        chunk = indices[start : start + CHUNK]
        allow(len(chunk) * SECONDS_A_FRAME)
        pictures = reader.get(chunk, short_side)
        for place, picture in enumerate(pictures, start=start):
            data = encode_jpeg(picture, task["quality"])
            frames[place] = data
            digest.update(data)
    attributes = {"source": task["path"].encode(errors="surrogateescape").decode(errors="replace")}
    if fps is not None:
        attributes["fps"] = fps
    if reader.timestamps is not None and not sampling.is_even(reader.timestamps[indices]):
        attributes["timestamps"] = reader.timestamps[indices] - reader.timestamps[indices[0]]
    frames.attrs.update(attributes)
    height, width = pictures.shape[1:3]
    return {
        "frames": len(indices),
        "fps": fps,
        "width": int(width),
        "height": int(height),
        "sha256": digest.hexdigest(),
    }


def chosen_frames(reader, fps):
    """(frame numbers int64 (N,), their rate): all, or the frames on show every 1 / fps seconds where that is fewer."""
    if fps is None or reader.fps is None or reader.fps <= fps:
        return np.arange(len(reader)), reader.fps
    times = reader.timestamps
    count = max(1, int(np.ceil((times[-1] - times[0]) * fps + 1e-6)))
    ticks = times[0] + np.arange(count) / fps
    return np.searchsorted(times, ticks + 1e-6, side="right") - 1, float(fps)


def encode_jpeg(picture, quality):
    """uint8 (H, W, 3) RGB -> uint8 (bytes,)."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {picture.shape} cannot be written as JPEG")
    return data.reshape(-1)
