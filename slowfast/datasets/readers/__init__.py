"""Readers: what turns a stored video into frames."""

import os

from slowfast.datasets.readers import hdf5, pictures
from slowfast.datasets.readers.base import VideoReader
from slowfast.datasets.readers.frames import FramesReader
from slowfast.datasets.readers.hdf5 import HDF5Reader
from slowfast.datasets.readers.segment import SegmentReader
from slowfast.datasets.readers.torchcodec import TorchCodecReader
from slowfast.datasets.readers.video import PyAVReader

# DATA.READER -> class; "auto" looks at the path.
READERS = {"pyav": PyAVReader, "torchcodec": TorchCodecReader, "frames": FramesReader, "hdf5": HDF5Reader}


def open_reader(path, kind="auto", frames=None):
    """A reader of one video; close it, or use it in a `with` statement.

    Args:
        path: a video file; a folder of pictures, or one picture; an HDF5 pack, `pack.h5` or `pack.h5/key`.
        kind: DATA.READER: "auto", or one of READERS.
        frames: paths of its pictures, where a list names them; `path` is then only what the video is called.
    Raises:
        ReadError: the file cannot be read; names it.
    """
    if frames is not None:
        return FramesReader(path, frames)
    if kind != "auto":
        return READERS[kind](path)
    if hdf5.split_path(path)[0].lower().endswith(hdf5.EXTENSIONS):
        return HDF5Reader(path)
    if os.path.isdir(path):
        return FramesReader(path)
    if os.fspath(path).lower().endswith(pictures.EXTENSIONS):
        return FramesReader(path, [path])
    return PyAVReader(path)


__all__ = [
    "READERS",
    "FramesReader",
    "HDF5Reader",
    "PyAVReader",
    "SegmentReader",
    "TorchCodecReader",
    "VideoReader",
    "open_reader",
]
