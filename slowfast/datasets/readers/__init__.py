"""Readers: what turns a stored video into frames."""

from slowfast.datasets.readers.base import VideoReader
from slowfast.datasets.readers.video import PyAVReader

READERS = {"auto": PyAVReader, "pyav": PyAVReader}  # DATA.READER -> class


def open_reader(path, kind="auto"):
    """A reader of one video; close it, or use it in a `with` statement.

    Args:
        path: the video file.
        kind: DATA.READER, one of READERS.
    Raises:
        ReadError: the file cannot be read; names it.
    """
    return READERS[kind](path)


__all__ = ["READERS", "PyAVReader", "VideoReader", "open_reader"]
