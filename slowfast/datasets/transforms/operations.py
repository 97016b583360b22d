"""The single operations of RandAugment and AutoAugment on a clip: `OPERATIONS[name](clip, amount, interpolation)`.

clip: uint8 (T, H, W, C); the same amount for all frames; result: uint8 (T, H, W, C). What an operation measures in a
picture (its darkest value, its mean) it measures in each frame. Colours come from torchvision's functions; those that
treat every pixel alike are applied as a table of 256 entries, which gives the same bytes in less time. Shapes come from
OpenCV, as torchvision does not interpolate tensors bicubically.

Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, and 2020, https://arxiv.org/abs/1909.13719.
"""

import cv2
import numpy as np
import torch
from torchvision.transforms.v2 import functional

FILL = (128, 128, 128)  # where a moved picture shows nothing
INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_SOLARIZE_ADD_BELOW = 128
_RAMP = torch.arange(256, dtype=torch.uint8).view(1, 1, 256).expand(3, 1, 256).contiguous()


def _by_table(clip, function):
    """`function` treats every value alike: what it makes of 0 to 255 is looked up."""
    table = function(_RAMP)[0, 0].numpy()
    return cv2.LUT(clip.reshape(-1, *clip.shape[2:]), table).reshape(clip.shape)


def _by_frame(clip, function):
    """`function` of torchvision takes uint8 (T, C, H, W), every frame a picture of its own."""
    frames = torch.from_numpy(clip).permute(0, 3, 1, 2).contiguous()
    return function(frames).permute(0, 2, 3, 1).contiguous().numpy()


def _warp(clip, matrix, interpolation):
    """Pixel (x, y) of the result is taken at matrix @ (x, y, 1) of the clip; px, from the first pixel's centre."""
    flags, size = INTERPOLATIONS[interpolation] | cv2.WARP_INVERSE_MAP, clip.shape[2:0:-1]
    matrix, out = np.asarray(matrix, np.float64), np.empty_like(clip)
    for frame, target in zip(clip, out):
        cv2.warpAffine(frame, matrix, size, dst=target, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=FILL)
    return out


def rotate(clip, degrees, interpolation):
    """Counter-clockwise about the centre."""
    centre = ((clip.shape[2] - 1) / 2, (clip.shape[1] - 1) / 2)
    return _warp(clip, cv2.invertAffineTransform(cv2.getRotationMatrix2D(centre, degrees, 1.0)), interpolation)


def shear_x(clip, amount, interpolation):
    """Each row is taken `amount` px further right than the row above it."""
    return _warp(clip, [[1, amount, amount / 2], [0, 1, 0]], interpolation)


def shear_y(clip, amount, interpolation):
    """Each column is taken `amount` px further down than the column left of it."""
    return _warp(clip, [[1, 0, 0], [amount, 1, amount / 2]], interpolation)


def translate_x(clip, pixels, interpolation):
    """To the left."""
    return _warp(clip, [[1, 0, pixels], [0, 1, 0]], interpolation)


def translate_y(clip, pixels, interpolation):
    """Up."""
    return _warp(clip, [[1, 0, 0], [0, 1, pixels]], interpolation)


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
    "AutoContrast": lambda clip, _, __: _by_frame(clip, functional.autocontrast),
    "Equalize": lambda clip, _, __: _by_frame(clip, functional.equalize),
    "Invert": lambda clip, _, __: _by_table(clip, functional.invert),
    "Rotate": rotate,
    "Posterize": posterize,
    "Solarize": solarize,
    "SolarizeAdd": solarize_add,
    "Color": lambda clip, factor, _: _by_frame(clip, lambda x: functional.adjust_saturation(x, factor)),
    "Contrast": lambda clip, factor, _: _by_frame(clip, lambda x: functional.adjust_contrast(x, factor)),
    "Brightness": lambda clip, factor, _: _by_table(clip, lambda x: functional.adjust_brightness(x, factor)),
    "Sharpness": lambda clip, factor, _: _by_frame(clip, lambda x: functional.adjust_sharpness(x, factor)),
    "ShearX": shear_x,
    "ShearY": shear_y,
    "TranslateX": translate_x,
    "TranslateY": translate_y,
    "TranslateXRel": lambda clip, part, how: translate_x(clip, part * clip.shape[2], how),
    "TranslateYRel": lambda clip, part, how: translate_y(clip, part * clip.shape[1], how),
}
