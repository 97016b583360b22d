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


def crop_offset(room, position, num_crops=3, rule="slowfast"):
    """Offset in px of a test crop along the longer side.

    Args:
        room: px by which the longer side exceeds the crop.
        position: in [0, num_crops); one crop alone is the centre, whatever its number.
        num_crops: crops a clip.
        rule: "slowfast": 0, 1, 2 are the first, the central and the last, the centre rounded up, also XViT's;
            "videomae": from first to last at even distances, rounded down; "eva": the first, the last, then those in
            between, whole equal steps apart. More than three crops of "slowfast" lie as those of "videomae".
    Source: the published codes; numbers in tests/datasets/transforms.
    """
    if rule == "slowfast" and num_crops <= 3:
        return (0, math.ceil(room / 2), room)[position if num_crops > 1 else 1]
    if num_crops == 1:
        return room // 2
    if rule == "eva":
        return room // (num_crops - 1) * (0, num_crops - 1, *range(1, num_crops - 1))[position]
    return room * position // (num_crops - 1)


def uniform_offsets(height, width, crop, position, num_crops=3, rule="slowfast"):
    """(y, x) in px of a test crop of side `crop`, see `crop_offset`.

    The crops lie from left to right, or from top to bottom where the picture is higher than wide; along the shorter
    side they are central.
    """
    y, x = math.ceil((height - crop) / 2), math.ceil((width - crop) / 2)
    if height > width:
        return crop_offset(height - crop, position, num_crops, rule), x
    return y, crop_offset(width - crop, position, num_crops, rule)


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
    for frame, target in zip(clip, out):
        if frame.shape[:2] != size:
            frame = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_LINEAR)
        _put(frame[y : y + crop, x : x + crop], target, flip)
    return out


def crop_and_scale(clip, y, x, height, width, side, *, flip=False):
    """Cut a box out of a clip, scale it to a square (bilinear, without antialiasing) and mirror it if asked.

    Args:
        clip: uint8 (T, H, W, C).
        y, x, height, width: px, the box; it must lie inside the picture.
        side: px, of the square.
    Returns:
        uint8 (T, side, side, C).
    """
    inside = 0 <= y <= clip.shape[1] - height and 0 <= x <= clip.shape[2] - width
    assert inside, f"box of {height} x {width} px at {(y, x)} leaves {clip.shape[1:3]}"
    out = np.empty((len(clip), side, side, clip.shape[3]), dtype=np.uint8)
    for frame, target in zip(clip, out):
        box = frame[y : y + height, x : x + width]
        if (height, width) != (side, side):
            box = cv2.resize(box, (side, side), interpolation=cv2.INTER_LINEAR)
        _put(box, target, flip)
    return out


def _put(picture, target, flip):
    if flip:
        cv2.flip(picture, 1, dst=target)
    else:
        target[:] = picture
