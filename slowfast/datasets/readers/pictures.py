"""Encoded still pictures -> RGB pixels: a fast way for JPEG, every other format that Pillow opens besides."""

import io
import os
import stat

import cv2
import numpy as np
from PIL import Image

from slowfast.datasets.readers.base import scaled_size
from slowfast.utils.errors import ReadError

try:
    import simplejpeg  # libjpeg-turbo, straight into the caller's array, and strict about damage
except ImportError:  # no wheel for this platform: OpenCV gives the same pixels, some 10 % slower
    simplejpeg = None

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_MAX_PIXELS = 1 << 27  # as for videos: more is a lie of the header
_FAILURES = (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError, cv2.error)


def decode_pictures(encoded, short_side=None, *, path, numbers):
    """Decode T pictures of one size.

    Args:
        encoded: T bytes-like objects, each an encoded picture; zeros may follow its end.
        short_side: px to scale the short side to, as in `VideoReader.get`; JPEG is then decoded at a fraction of its
            size where that suffices.
        path, numbers: what the pictures are called in messages: the video, and each one's frame number.
    Returns:
        uint8 (T, H, W, 3) RGB.
    Raises:
        ReadError: a picture that is damaged or of another size than the first.
    """
    out = None
    for place, (data, number) in enumerate(zip(encoded, numbers)):
        try:
            target = None if out is None or short_side is not None else out[place]
            pixels = decode_picture(data, short_side, target)
        except _FAILURES as error:
            raise ReadError(path, f"frame {number}: {error}") from error
        if out is None:
            out = np.empty((len(encoded), *pixels.shape), dtype=np.uint8)
        if pixels.shape != out.shape[1:]:
            sizes = [f"{width} x {height}" for height, width in (pixels.shape[:2], out.shape[1:3])]
            raise ReadError(path, f"frame {number} is {sizes[0]} px, frame {numbers[0]} {sizes[1]} px")
        if pixels is not target:
            out[place] = pixels
    return out


def decode_picture(data, short_side=None, out=None):
    """uint8 (H, W, 3) RGB of one encoded picture; `out` takes the pixels if it is of their size.

    Raises: ValueError, OSError and what the decoders raise over damaged data.
    """
    pixels = size = None
    if bytes(data[:3]) == _JPEG:
        pixels, size = _decode_jpeg(data, short_side, out)
    if pixels is None:
        pixels = _decode_any(data)
    if short_side is None:
        return pixels
    width, height = scaled_size(size or pixels.shape[1::-1], short_side)
    if pixels.shape[:2] == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


def read_bytes(path):
    """A plain file's content. Raises: ReadError: missing, or something else than a file."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ReadError(path, "not a file")
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise ReadError(path, getattr(error, "strerror", None) or str(error)) from error


def _decode_jpeg(data, short_side, out):
    """(pixels, stored size as (width, height)); pixels at full size, or at the smallest fraction that is not below
    `short_side`; None for what the fast decoders do not do (four inks)."""
    if simplejpeg is None:
        return _decode_jpeg_cv2(data), None
    height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    if height * width > _MAX_PIXELS:
        raise ValueError(f"its header says {width} x {height} px, more than can be meant")
    if space in ("CMYK", "YCCK"):
        return None, None
    fits = out is not None and out.shape == (height, width, 3)
    least = {} if short_side is None else {"min_height": short_side, "min_width": short_side, "min_factor": 1}
    return simplejpeg.decode_jpeg(data, "RGB", buffer=out if fits else None, **least), (width, height)


def _decode_jpeg_cv2(data):
    if _JPEG_END not in bytes(data).rstrip(b"\0")[-4096:]:  # OpenCV would leave the rest grey
        raise ValueError("the JPEG data end too early")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _decode_any(data):
    with Image.open(io.BytesIO(bytes(data))) as picture:
        if picture.width * picture.height > _MAX_PIXELS:
            raise ValueError(f"its header says {picture.width} x {picture.height} px, more than can be meant")
        return np.asarray(picture.convert("RGB"))
