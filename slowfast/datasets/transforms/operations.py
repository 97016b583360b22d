"""The single operations of RandAugment and AutoAugment on a clip: `OPERATIONS[name](clip, amount, interpolation)`.

clip: uint8 (T, H, W, C); the same amount for all frames; result: uint8 (T, H, W, C). What an operation measures in a
picture (its darkest value, its mean) it measures in each frame. Results are Pillow's to one step of rounding; but for
shapes: OpenCV's cubic kernel is a little sharper. Where an operation treats all pixels alike, 256 values are looked up:
torchvision's function of them where it needs no more. On whole clips torchvision takes 3 to 10 times as long,
and none of them interpolates tensors bicubically.

Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, and 2020, https://arxiv.org/abs/1909.13719.
"""

import cv2
import numpy as np
import torch
from torchvision.transforms.v2 import functional

FILL = (128, 128, 128)  # where a moved picture shows nothing
INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_SOLARIZE_ADD_BELOW = 128
_SMOOTH = np.float32([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
_VALUES = np.arange(256)
_TAPS = np.arange(-2, 3, dtype=np.float32)  # px from the nearest pixel
_RAMP = torch.arange(256, dtype=torch.uint8).view(1, 1, 256).expand(3, 1, 256).contiguous()


def _by_table(clip, function):
    """`function` of torchvision treats every value alike: what it makes of 0 to 255 is looked up."""
    table = function(_RAMP)[0, 0].numpy()
    return cv2.LUT(clip.reshape(-1, *clip.shape[2:]), table).reshape(clip.shape)


def _each(clip, function):
    """`function` of a frame (H, W, C) gives the new frame."""
    out = np.empty_like(clip)
    for frame, target in zip(clip, out):
        target[:] = function(frame)
    return out


def _by_channel(clip, tables_of):
    """Each channel of each frame by a table of its own: `tables_of` takes counts (n, 256) to tables (n, 256)."""

    def apply(frame):
        channels = range(frame.shape[2])
        counts = np.stack([cv2.calcHist([frame], [channel], None, [256], [0, 256]).ravel() for channel in channels])
        tables = np.clip(tables_of(counts.astype(np.int64)), 0, 255).astype(np.uint8)
        return cv2.LUT(frame, np.ascontiguousarray(tables.T)[:, None])

    return _each(clip, apply)


def auto_contrast(clip, amount=None, interpolation=None):
    """The darkest value of each channel becomes 0, the brightest 255."""

    def tables(counts):
        low, high = (counts > 0).argmax(axis=1), 255 - (counts[:, ::-1] > 0).argmax(axis=1)
        scale = np.where(high > low, 255.0 / np.maximum(high - low, 1), 1.0)[:, None]
        return (_VALUES - np.where(high > low, low, 0)[:, None]) * scale

    return _by_channel(clip, tables)


def equalize(clip, amount=None, interpolation=None):
    """Each channel's values become about equally frequent."""

    def tables(counts):
        brightest = 255 - (counts[:, ::-1] > 0).argmax(axis=1)
        step = (counts.sum(axis=1) - counts[np.arange(len(counts)), brightest])[:, None] // 255
        below = np.cumsum(counts, axis=1) - counts
        return np.where(step > 0, (below + step // 2) // np.maximum(step, 1), _VALUES)

    return _by_channel(clip, tables)


def contrast(clip, factor, interpolation=None):
    """Away from (factor above 1) or towards the frame's mean brightness."""

    def apply(frame):
        mean = int(cv2.mean(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))[0] + 0.5)
        return cv2.LUT(frame, np.clip(mean + factor * (_VALUES - mean), 0, 255).astype(np.uint8))

    return _each(clip, apply)


def colour(clip, factor, interpolation=None):
    """Away from or towards grey."""

    def apply(frame):
        grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(frame, factor, grey, 1.0 - factor, 0.0)

    return _each(clip, apply)


def sharpness(clip, factor, interpolation=None):
    """Away from or towards a smoothed picture; the outermost pixels stay as they are."""

    def apply(frame):
        out, inside = frame.copy(), (slice(1, -1), slice(1, -1))
        smooth = cv2.filter2D(frame, -1, _SMOOTH)
        out[inside] = cv2.addWeighted(frame, factor, smooth, 1.0 - factor, 0.0)[inside]
        return out

    return _each(clip, apply)


def _warp(clip, matrix, interpolation):
    """Pixel (x, y) of the result is taken at matrix @ (x, y, 1) of the clip; px, from the first pixel's centre."""
    flags, size = INTERPOLATIONS[interpolation] | cv2.WARP_INVERSE_MAP, clip.shape[2:0:-1]
    options = {"flags": flags, "borderMode": cv2.BORDER_CONSTANT, "borderValue": FILL}
    return _each(clip, lambda frame: cv2.warpAffine(frame, np.float64(matrix), size, **options))


def _shift(picture, pixels, axis, interpolation, out):
    """A picture (H, W, C) taken `pixels` further on along an axis, written to `out`; parts of a pixel interpolated."""
    whole, side = int(np.floor(pixels + 0.5)), picture.shape[axis]
    if pixels != whole:
        weights = _WEIGHTS[interpolation](np.abs(_TAPS - (pixels - whole)))
        kernel = weights[:, None] if axis == 0 else weights[None]
        picture = cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    first, last = min(max(0, -whole), side), max(min(side, side - whole), 0)
    if axis == 0:
        out[:first], out[last:] = FILL, FILL
        out[first:last] = picture[first + whole : last + whole]
    else:
        out[:, :first], out[:, last:] = FILL, FILL
        out[:, first:last] = picture[:, first + whole : last + whole]


def _shift_each(clip, pixels, axis, interpolation):
    out = np.empty_like(clip)
    for frame, target in zip(clip, out):
        _shift(frame, pixels, axis, interpolation, target)
    return out


def _cubic(distance, a=-0.75):
    """Keys' kernel with OpenCV's parameter."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


_WEIGHTS = {"bicubic": _cubic, "bilinear": lambda distance: np.maximum(1.0 - distance, 0.0)}


def rotate(clip, degrees, interpolation):
    """Counter-clockwise about the centre."""
    centre = ((clip.shape[2] - 1) / 2, (clip.shape[1] - 1) / 2)
    return _warp(clip, cv2.invertAffineTransform(cv2.getRotationMatrix2D(centre, degrees, 1.0)), interpolation)


def shear_x(clip, amount, interpolation):
    """Each row is taken `amount` px further right than the row above it."""
    out = np.empty_like(clip)
    for y in range(clip.shape[1]):
        _shift(clip[:, y], amount * (y + 0.5), 1, interpolation, out[:, y])
    return out


def shear_y(clip, amount, interpolation):
    """Each column is taken `amount` px further down than the column left of it."""
    return _turned(shear_x(_turned(clip), amount, interpolation))


def _turned(clip):
    """Rows and columns exchanged, (T, W, H, C)."""
    out = np.empty((len(clip), *clip.shape[2:0:-1], clip.shape[3]), np.uint8)
    for frame, target in zip(clip, out):
        cv2.transpose(frame, dst=target)
    return out


def translate_x(clip, pixels, interpolation):
    """To the left."""
    return _shift_each(clip, pixels, 1, interpolation)


def translate_y(clip, pixels, interpolation):
    """Up."""
    return _shift_each(clip, pixels, 0, interpolation)


def solarize(clip, least, interpolation=None):
    """Inverts values from `least` on; with 256 none."""
    return _by_table(clip, lambda x: functional.solarize(x, least)) if least <= 255 else clip


def solarize_add(clip, amount, interpolation=None):
    """Dark values, below 128, become brighter by `amount`."""
    add = int(amount)
    return _by_table(
        clip, lambda x: torch.where(x < _SOLARIZE_ADD_BELOW, (x.int() + add).clamp(max=255).to(x.dtype), x)
    )


def posterize(clip, bits, interpolation=None):
    """Keeps the `bits` highest bits of each value; with 0 all is black."""
    bits = int(bits)
    return _by_table(clip, lambda x: functional.posterize(x, bits) if bits else torch.zeros_like(x))


OPERATIONS = {
    "AutoContrast": auto_contrast,
    "Equalize": equalize,
    "Invert": lambda clip, _, __: _by_table(clip, functional.invert),
    "Rotate": rotate,
    "Posterize": posterize,
    "Solarize": solarize,
    "SolarizeAdd": solarize_add,
    "Color": colour,
    "Contrast": contrast,
    "Brightness": lambda clip, factor, _: _by_table(clip, lambda x: functional.adjust_brightness(x, factor)),
    "Sharpness": sharpness,
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "TranslateXRel": lambda clip, part, how: translate_x(clip, part * clip.shape[2], how),
    "TranslateYRel": lambda clip, part, how: translate_y(clip, part * clip.shape[1], how),
}
