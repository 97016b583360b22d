"""Video files through torchcodec, an optional extra that needs FFmpeg's libraries on the machine."""

from functools import cache, cached_property

import cv2
import numpy as np
import torch

from slowfast.datasets.readers.base import check_indices, scaled_size
from slowfast.datasets.readers.video import PyAVReader
from slowfast.utils.errors import ReadError, UserError

_NEEDED = (
    "DATA.READER torchcodec: {reason}. Install it with `pip install torchcodec` (the release that fits torch "
    "{torch}) and FFmpeg with shared libraries (`apt install ffmpeg`, `conda install ffmpeg`), or set DATA.READER "
    "pyav, which brings its own"
)
_FAILURES = (RuntimeError, ValueError, OSError, IndexError)


class TorchCodecReader:
    """Reads a video file's first video stream; implements `VideoReader`.

    Frames, their number and their times are those of `PyAVReader`, which indexes the file; torchcodec decodes.

    Raises:
        UserError: torchcodec or FFmpeg's libraries are missing.
        ReadError: the file cannot be read.
    """

    def __init__(self, path):
        self.path = path
        check_torchcodec()
        with PyAVReader(path) as index:
            self.timestamps, self.fps, stream = index.timestamps, index.fps, index.stream_index
        try:
            self._decoder = _open(str(path), stream_index=stream)
            count = len(self._decoder)
        except _FAILURES as error:
            raise ReadError(path, _first_line(error)) from error
        if count != len(self.timestamps):
            raise ReadError(path, f"torchcodec counts {count} frames, PyAV {len(self.timestamps)}; read it with pyav")

    def __len__(self):
        return len(self.timestamps)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._decoder = None

    @cached_property
    def size(self):
        """(width, height) in px of the upright picture."""
        return self.get([0]).shape[2:0:-1]

    def get(self, indices, short_side=None):
        """Frames uint8 (T, H, W, 3) RGB; see `VideoReader.get`."""
        indices = check_indices(self, indices)
        try:
            frames = self._decoder.get_frames_at(indices.tolist()).data.numpy()
        except _FAILURES as error:
            raise ReadError(self.path, _first_line(error)) from error
        if short_side is None:
            return frames
        width, height = scaled_size(frames.shape[2:0:-1], short_side)
        return np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])


@cache
def check_torchcodec():
    """Raises: UserError: torchcodec is not installed, or finds no FFmpeg."""
    try:
        _open(b"no video")
    except ImportError:
        raise UserError(_NEEDED.format(reason="torchcodec is not installed", torch=torch.__version__)) from None
    except RuntimeError as error:
        if "libtorchcodec" in str(error):
            raise UserError(_NEEDED.format(reason="torchcodec finds no FFmpeg", torch=torch.__version__)) from None
    except _FAILURES:
        pass  # its libraries are there, and know that this is no video


def _open(source, **options):
    from torchcodec.decoders import VideoDecoder  # only here: an optional extra

    return VideoDecoder(source, dimension_order="NHWC", num_ffmpeg_threads=1, **options)


def _first_line(error):
    return str(error).strip().split("\n")[0]
