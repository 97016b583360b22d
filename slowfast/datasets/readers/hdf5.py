"""Videos packed into HDF5 files: a data set a video, an element a frame, each an encoded picture (JPEG, mostly)."""

import os
import stat
from collections import OrderedDict
from functools import cached_property

import h5py
import numpy as np

from slowfast.datasets.readers.frames import get_pictures
from slowfast.utils.errors import ReadError

EXTENSIONS = (".h5", ".hdf5")
MAX_OPEN = 16  # files that a process keeps open
_FAILURES = (OSError, KeyError, RuntimeError, ValueError, TypeError)


class HDF5Reader:
    """Reads one video of a pack; implements `VideoReader`.

    Layouts: XViT's (a file a video, whose first data set is read whatever its name; or a file a data set, a data set a
    video) and that of tools/prepare/pack_hdf5.py, which also stores the rate. Elements are variable-length uint8, or
    rows of a two-dimensional uint8 array padded with zeros.

    Args:
        path: `pack.h5`, or `pack.h5/key` for one of several videos.
    Attributes:
        fps, timestamps: None where the pack does not tell.
    Raises:
        ReadError: no such file or video, or damaged.
    """

    def __init__(self, path):
        self.path = path
        try:
            file, key = split_path(path)
            pack = _open_packs.get(file)
            self._frames = pack[key or next(iter(pack))]
            if not isinstance(self._frames, h5py.Dataset) or self._frames.dtype.kind == "f" or not self._frames.shape:
                raise ReadError(path, f"no data set of frames under '{key or '(first key)'}'")
            self._length = len(self._frames)
        except KeyError as error:
            raise ReadError(path, f"no video '{key}' in {file}") from error
        except StopIteration:
            raise ReadError(path, "an empty pack") from None
        except _FAILURES as error:
            raise ReadError(path, str(error)) from error
        if self._length == 0:
            raise ReadError(path, "no frames")

    def __len__(self):
        return self._length

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Let go of the video; its file stays open for the next one."""
        self._frames = None

    @cached_property
    def fps(self):
        fps = self._frames.attrs.get("fps")
        return None if fps is None else float(fps)

    @cached_property
    def timestamps(self):
        if "timestamps" in self._frames.attrs:  # stored where the rate varies
            return np.asarray(self._frames.attrs["timestamps"], dtype=np.float64)
        return None if self.fps is None else np.arange(len(self)) / self.fps

    @cached_property
    def size(self):
        """(width, height) in px of the first frame."""
        return self.get([0]).shape[2:0:-1]

    def get(self, indices, short_side=None):
        """Frames uint8 (T, H, W, 3) RGB; see `VideoReader.get`."""
        return get_pictures(self, indices, short_side, self.encoded)

    def encoded(self, numbers):
        """The encoded pictures of increasing frame numbers, each once: list of uint8 arrays."""
        try:
            if self._frames.ndim == 1:
                return _read_elements(self._frames, numbers)
            return list(self._frames[numbers])
        except _FAILURES as error:
            raise ReadError(self.path, str(error)) from error


def _read_elements(frames, numbers):
    """Selected elements in one call; h5py's own indexing of variable-length data costs several times as much."""
    selection = frames.id.get_space()
    selection.select_elements(np.array(numbers, dtype=np.uint64)[:, None])
    out = np.empty(len(numbers), dtype=frames.dtype)
    frames.id.read(h5py.h5s.create_simple((len(numbers),)), selection, out)
    return list(out)


def split_path(path):
    """(file, key) of `pack.h5/key`; key "" where the path ends with the file.

    The first component with an HDF5 ending that is not a folder counts as the file.
    """
    text = os.fspath(path)
    parts = text.split(os.sep)
    for count, part in enumerate(parts, start=1):
        if part.lower().endswith(EXTENSIONS):
            file = os.sep.join(parts[:count])
            if not os.path.isdir(file):
                return file, "/".join(parts[count:])
    return text, ""


class OpenPacks:
    """The last few files that a process has used, kept open.

    A forked process opens its own: handles of its parent are set aside, never used or closed there.
    """

    def __init__(self, limit=MAX_OPEN):
        self.limit = limit
        self._files = OrderedDict()
        self._process = os.getpid()
        self._of_parents = []

    def get(self, path):
        """The open h5py.File. Raises: OSError."""
        if self._process != os.getpid():
            self._of_parents.append(self._files)
            self._files, self._process = OrderedDict(), os.getpid()
        if path in self._files:
            self._files.move_to_end(path)
            return self._files[path]
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError("not a file")
        while len(self._files) >= self.limit:
            self._files.popitem(last=False)[1].close()
        try:
            self._files[path] = h5py.File(path, "r")
        except OSError:  # file systems without locks; where the file is broken, this fails alike
            self._files[path] = h5py.File(path, "r", locking=False)
        return self._files[path]

    def close(self):
        """Close this process's files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


_open_packs = OpenPacks()


def close_packs():
    """Close the packs that this process holds open, e.g. before one is written anew."""
    _open_packs.close()
