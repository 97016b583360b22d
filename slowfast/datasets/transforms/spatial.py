"""Scale, crop and flip of a clip: sizes and offsets as pure functions, and the one function that applies them."""

import math

import cv2
import numpy as np


def scaled_size(height, width, short_side):
    """(height, width) in px after the short side became `short_side`; the long one in proportion, rounded down."""
    if width < height:
        return math.floor(height / width * short_side), short_side
    return short_side, math.floor(width / height * short_side)


def jittered_short_side(low, high, u, *, inverse=False):
    """Short side in px, for `u` uniform in [0, 1).

    Args:
        low, high: px, DATA.TRAIN_JITTER_SCALES.
        inverse: DATA.INV_UNIFORM_SAMPLE, which draws 1 / side uniformly.
    """
    if inverse:
        return round(1 / (1 / high + (1 / low - 1 / high) * u))
    return round(low + (high - low) * u)


def random_offset(size, crop, rng):
    """Offset in px of a crop in [0, size - crop]; both ends can be drawn."""
    return int(rng.integers(0, size - crop + 1))


def uniform_offsets(height, width, crop, position):
    """(y, x) in px of a test crop of side `crop`.

    Args:
        position: 0, 1, 2 = left, centre, right; top, centre, bottom where the picture is higher than wide.
    """
    y, x = math.ceil((height - crop) / 2), math.ceil((width - crop) / 2)
    if height > width:
        return (0, y, height - crop)[position], x
    return y, (0, x, width - crop)[position]


def scale_and_crop(clip, size, y, x, crop, *, flip=False):
    """Scale a clip (bilinear, without antialiasing), cut a square out of it and mirror it left to right if asked.

    Args:
        clip: uint8 (T, H, W, C).
        size: (height, width) in px to scale to.
        y, x: px, the square's upper left corner in the scaled picture.
        crop: px, the square's side; it must lie inside `size`.
    Returns:
        uint8 (T, crop, crop, C).
    """
    assert 0 <= y <= size[0] - crop and 0 <= x <= size[1] - crop, f"crop of {crop} px at {(y, x)} leaves {size}"
    out = np.empty((len(clip), crop, crop, clip.shape[3]), dtype=np.uint8)
    step = -1 if flip else 1
    for frame, target in zip(clip, out):
        if frame.shape[:2] != size:
            frame = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR)
        target[:] = frame[y : y + crop, x : x + crop][:, ::step]
    return out
