"""Clips as pictures: a row of frames each, for looking at what a network makes of them."""

import cv2
import numpy as np

from slowfast.utils.io import atomic_write

GAP = 2  # px between frames
GAP_VALUE = 255


def strips(clips, *, smallest=0):
    """One picture of several clips, a row each, time running to the right.

    Args:
        clips: float tensor (R, C, T, H, W), colours RGB in [0, 1]; values outside are clipped. C is 3, or 1 for grey.
        smallest: px; lower frames are enlarged, by the whole number that makes them at least this high.
    Returns:
        uint8 array (R * (H + gap) - gap, T * (W + gap) - gap, C), H and W after enlarging.
    """
    factor = max(-(-smallest // clips.shape[3]), 1)
    clips = clips.repeat_interleave(factor, dim=3).repeat_interleave(factor, dim=4)
    pixels = (clips.detach().cpu().float().clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    pixels = pixels.transpose(0, 3, 2, 4, 1)  # (R, H, T, W, C)
    pixels = np.pad(pixels, ((0, 0), (0, GAP), (0, 0), (0, GAP), (0, 0)), constant_values=GAP_VALUE)
    rows, height, frames, width, colours = pixels.shape
    return pixels.reshape(rows * height, frames * width, colours)[:-GAP, :-GAP]


def write_png(path, picture):
    """Args: path: replaced whole; its folder is made. picture: uint8 (H, W, 3), RGB, or (H, W, 1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    atomic_write(path, lambda file: file.write(encoded))
