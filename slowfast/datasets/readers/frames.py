"""Videos stored as pictures: a folder of them, or a list of paths."""

import os
import re
from functools import cached_property, lru_cache

import numpy as np

from slowfast.datasets.readers.base import check_indices
from slowfast.datasets.readers.pictures import EXTENSIONS, decode_pictures, read_bytes
from slowfast.utils.errors import ReadError


class FramesReader:
    """Reads a video from its pictures; implements `VideoReader`.

    Args:
        path: what the video is called in messages.
        frames: paths of its pictures, in order; None: all pictures of folder `path`, "frame_9" before "frame_10".
    Attributes:
        fps, timestamps: None: pictures do not tell when they are shown.
    Raises:
        ReadError: no folder, or no picture in it.
    """

    fps = None
    timestamps = None

    def __init__(self, path, frames=None):
        self.path = path
        self.frames = list_pictures(path) if frames is None else frames
        if len(self.frames) == 0:
            raise ReadError(path, "the list of its pictures is empty")

    def __len__(self):
        return len(self.frames)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Nothing is held open."""

    @cached_property
    def size(self):
        """(width, height) in px of the first picture."""
        return self.get([0]).shape[2:0:-1]

    def get(self, indices, short_side=None):
        """Frames uint8 (T, H, W, 3) RGB; see `VideoReader.get`. Each picture is read once."""
        return get_pictures(self, indices, short_side, lambda numbers: [read_bytes(self.frames[i]) for i in numbers])


def get_pictures(reader, indices, short_side, read):
    """`VideoReader.get` for readers of encoded pictures.

    Args:
        reader: gives `path` and the length.
        read: function of increasing frame numbers, each once -> their encoded pictures.
    """
    indices = check_indices(reader, indices)
    numbers, places = np.unique(indices, return_inverse=True)
    pictures = decode_pictures(read(numbers.tolist()), short_side, path=reader.path, numbers=numbers.tolist())
    return pictures if np.array_equal(numbers, indices) else pictures[places]


def list_pictures(folder):
    """Paths of a folder's pictures in the order of their numbers. Raises: ReadError."""
    try:
        paths = _list_pictures(os.fspath(folder), os.stat(folder).st_mtime_ns)
    except (OSError, ValueError) as error:
        raise ReadError(folder, getattr(error, "strerror", None) or str(error)) from error
    if not paths:
        raise ReadError(folder, f"a folder without pictures ({', '.join(EXTENSIONS)})")
    return paths


@lru_cache(maxsize=32)
def _list_pictures(folder, changed_ns):
    """Kept, since several clips may be cut from one folder of very many pictures."""
    names = [name for name in os.listdir(folder) if name.lower().endswith(EXTENSIONS) and name[0] != "."]
    return tuple(os.path.join(folder, name) for name in sorted(names, key=natural_order))


def natural_order(name):
    """Sorting key that compares digits as numbers; names that differ in leading zeros alone keep a fixed order."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if part.isdigit() else part for part in parts], name
