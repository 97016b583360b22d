"""Which part of a picture a training clip shows: rules that draw it, and what they draw.

A rule is called with (height, width, rng, crop_size=None): px of the pictures, a numpy Generator, px of the square
where it is not the rule's own. Its result cuts a clip with `apply(clip, flip=False)`, and says in `box(height, width)`
what it shows: (y, x, height, width) in px of the stored pictures.
"""

import math
from dataclasses import dataclass

from slowfast.datasets.transforms.spatial import (
    crop_and_scale,
    jittered_short_side,
    random_offset,
    scale_and_crop,
    scaled_size,
)

_ATTEMPTS = 10  # at a box that fits into the picture


@dataclass(frozen=True)
class ScaledCrop:
    """A square of side `crop` px at (y, x) of the pictures scaled to `size`, (height, width) px."""

    size: tuple[int, int]
    y: int
    x: int
    crop: int

    def apply(self, clip, *, flip=False):
        return scale_and_crop(clip, self.size, self.y, self.x, self.crop, flip=flip)

    def box(self, height, width):
        down, across = height / self.size[0], width / self.size[1]
        return self.y * down, self.x * across, self.crop * down, self.crop * across


@dataclass(frozen=True)
class Box:
    """`height` x `width` px at (y, x) of the pictures as they are, scaled to a square of side `crop` px."""

    y: int
    x: int
    height: int
    width: int
    crop: int

    def apply(self, clip, *, flip=False):
        return crop_and_scale(clip, self.y, self.x, self.height, self.width, self.crop, flip=flip)

    def box(self, height, width):
        return self.y, self.x, self.height, self.width


@dataclass(frozen=True)
class JitteredCrop:
    """PySlowFast's and XViT's: a random short side, then a random square.

    Args:
        scales: (low, high) px, range of the short side; DATA.TRAIN_JITTER_SCALES.
        crop_size: px, DATA.TRAIN_CROP_SIZE. A call with another `crop_size` scales `low` in proportion, as
            PySlowFast's multigrid training does.
        inverse_scale: DATA.INV_UNIFORM_SAMPLE.
    """

    scales: tuple[int, int]
    crop_size: int
    inverse_scale: bool = False

    def __call__(self, height, width, rng, crop_size=None):
        crop = crop_size or self.crop_size
        low, high = round(self.scales[0] * crop / self.crop_size), self.scales[1]
        short_side = jittered_short_side(low, max(low, high), rng.random(), inverse=self.inverse_scale)
        size = scaled_size(height, width, short_side)
        return ScaledCrop(size, random_offset(size[0], crop, rng), random_offset(size[1], crop, rng), crop)


@dataclass(frozen=True)
class ResizedCrop:
    """Inception's: a box of random area and aspect ratio.

    Args:
        crop_size: px, DATA.TRAIN_CROP_SIZE.
        areas: (low, high), of the picture's area; DATA.TRAIN_JITTER_SCALES_RELATIVE.
        aspects: (low, high), width / height, drawn evenly by its logarithm; DATA.TRAIN_JITTER_ASPECT_RELATIVE.
    """

    crop_size: int
    areas: tuple[float, float]
    aspects: tuple[float, float]

    def __call__(self, height, width, rng, crop_size=None):
        return Box(*random_resized_box(height, width, self.areas, self.aspects, rng), crop_size or self.crop_size)


@dataclass(frozen=True)
class MultiScaleCrop:
    """TSN's: height and width are parts of the short side, neighbours in the list at most, at a fixed place.

    Args:
        crop_size: px, DATA.TRAIN_CROP_SIZE.
        parts: of the short side, descending; AUG.MULTI_SCALE_CROP.
        places: 13 or 5; AUG.MULTI_SCALE_PLACES.
    Source: Wang et al. 2016, https://arxiv.org/abs/1608.00859; as XViT, VideoMAE's pre-training and EVA use it.
    """

    crop_size: int
    parts: tuple[float, ...]
    places: int = 13

    def __call__(self, height, width, rng, crop_size=None):
        crop = crop_size or self.crop_size
        sides = [int(min(height, width) * part) for part in self.parts]
        pairs = [(a, b) for i, a in enumerate(sides) for j, b in enumerate(sides) if abs(i - j) <= 1]
        box_height, box_width = pairs[rng.integers(len(pairs))]
        steps = fixed_places(self.places)
        down, across = steps[rng.integers(len(steps))]
        y, x = down * ((height - box_height) // 4), across * ((width - box_width) // 4)
        return Box(y, x, box_height, box_width, crop)


def fixed_places(count):
    """(down, across) in quarters of the room: the corners and the centre; for 13 also the edges' middles and the points
    half way from the centre to the corners."""
    corners = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    if count == 5:
        return corners
    return [*corners, (2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]


def random_resized_box(height, width, areas, aspects, rng):
    """(y, x, height, width) in px of a random box; where ten of them do not fit, the largest central one allowed.

    Args:
        height, width: px of the picture.
        areas, aspects: (low, high), see `ResizedCrop`.
        rng: has `uniform(low, high)` and `integers(low, high, endpoint=True)`.
    """
    for _ in range(_ATTEMPTS):
        area = rng.uniform(*areas) * height * width
        aspect = math.exp(rng.uniform(math.log(aspects[0]), math.log(aspects[1])))
        box_width, box_height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < box_width <= width and 0 < box_height <= height:
            y = int(rng.integers(0, height - box_height, endpoint=True))
            return y, int(rng.integers(0, width - box_width, endpoint=True)), box_height, box_width
    box_height, box_width = height, width
    if width / height < aspects[0]:
        box_height = round(width / aspects[0])
    elif width / height > aspects[1]:
        box_width = round(height * aspects[1])
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width
