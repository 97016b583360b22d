"""Single operations against Pillow's, frame by frame, on a smooth picture with some noise."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from slowfast.datasets.transforms.operations import FILL, OPERATIONS

HEIGHT, WIDTH = 40, 60


def affine(*matrix):
    return lambda image: image.transform(image.size, Image.AFFINE, matrix, Image.BICUBIC, fillcolor=FILL)


def brighten_dark(image, amount=77):
    return image.point([min(255, value + amount) if value < 128 else value for value in range(256)] * 3)


# name -> (amount, what Pillow does)
COLOURS = {
    "AutoContrast": (None, ImageOps.autocontrast),
    "Equalize": (None, ImageOps.equalize),
    "Invert": (None, ImageOps.invert),
    "Posterize": (2, lambda image: ImageOps.posterize(image, 2)),
    "Solarize": (77, lambda image: ImageOps.solarize(image, 77)),
    "SolarizeAdd": (77, brighten_dark),
    "Color": (1.6, lambda image: ImageEnhance.Color(image).enhance(1.6)),
    "Contrast": (0.4, lambda image: ImageEnhance.Contrast(image).enhance(0.4)),
    "Brightness": (1.6, lambda image: ImageEnhance.Brightness(image).enhance(1.6)),
    "Sharpness": (1.6, lambda image: ImageEnhance.Sharpness(image).enhance(1.6)),
}
SHAPES = {
    "Rotate": (21.0, lambda image: image.rotate(21.0, Image.BICUBIC, fillcolor=FILL)),
    "ShearX": (0.2, affine(1, 0.2, 0, 0, 1, 0)),
    "ShearY": (-0.2, affine(1, 0, 0, -0.2, 1, 0)),
    "TranslateX": (-7.0, affine(1, 0, -7, 0, 1, 0)),
    "TranslateY": (5.0, affine(1, 0, 0, 0, 1, 5)),
    "TranslateXRel": (0.3, affine(1, 0, 18, 0, 1, 0)),
    "TranslateYRel": (-0.3, affine(1, 0, 0, 0, 1, -12)),
}


def clip(noise=9):
    """Two frames of different colours and contrast."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
    frames = np.stack([cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC) for frame in coarse])
    frames = frames + rng.integers(-noise, noise + 1, frames.shape)
    frames[1] = 60 + frames[1] * 0.4
    return np.clip(frames, 20, 230).astype(np.uint8)


def by_pillow(frames, function):
    return np.stack([np.asarray(function(Image.fromarray(frame))) for frame in frames]).astype(int)


def test_all_are_compared():
    assert set(COLOURS) | set(SHAPES) == set(OPERATIONS)


@pytest.mark.parametrize("name", COLOURS)
def test_colours(name):
    """Pillow's bytes, some within one step of rounding; statistics are those of each frame."""
    amount, function = COLOURS[name]
    frames = clip()
    before = frames.copy()
    got = OPERATIONS[name](frames, amount, "bicubic")
    assert got.dtype == np.uint8 and got.shape == frames.shape and np.array_equal(frames, before)
    rounded = ("AutoContrast", "Color", "Sharpness")
    assert np.abs(got - by_pillow(frames, function)).max() <= (1 if name in rounded else 0)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    """Away from the border, where OpenCV goes on with the fill, two cubic kernels differ by a few values."""
    amount, function = SHAPES[name]
    frames = clip(noise=0)
    got = OPERATIONS[name](frames, amount, "bicubic")
    assert got.dtype == np.uint8 and got.shape == frames.shape
    off = np.abs(got - by_pillow(frames, function)).max(axis=-1)
    assert (off > 8).mean() < 0.06 and np.median(off) <= 1
    assert (np.abs(got.astype(int) - 128).max(axis=-1) == 0).mean() > 0.03  # what the move left empty


def test_strongest_and_weakest():
    assert np.array_equal(OPERATIONS["Solarize"](clip(), 256, "bilinear"), clip())
    assert not OPERATIONS["Posterize"](clip(), 0, "bilinear").any()
