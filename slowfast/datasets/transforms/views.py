"""What happens to a clip's pixels in training, validation and test: `transform(clip, rng, crop_size=None)`.

clip: uint8 (T, H, W, C); rng: numpy Generator, the only source of chance; result: `(uint8 (T, h, w, C), Drawn)`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from slowfast.datasets.transforms.crops import ScaledCrop
from slowfast.datasets.transforms.spatial import scaled_size, uniform_offsets


@dataclass(frozen=True)
class Drawn:
    """What was done to a clip's pixels, for whoever wants to see it.

    box: (y, x, height, width), px of the stored pictures that the clip shows; flipped: left is right;
    operations: what changed colours and shapes, in order, with amounts.
    """

    box: tuple
    flipped: bool = False
    operations: tuple = ()


@dataclass(frozen=True)
class TrainTransform:
    """A policy's operations, a random crop, a random flip, colours; one draw for the whole clip.

    Args:
        crop: rule of `crops`.
        flip: mirror half of the clips; DATA.RANDOM_FLIP.
        policy: (clip, rng) -> (clip, operations), on the stored pictures; None: nothing.
        colours: the same, on the crop.
    """

    crop: Callable
    flip: bool
    policy: Callable | None = None
    colours: Callable | None = None

    def __call__(self, clip, rng, crop_size=None, *, may_flip=True):
        """Args: may_flip: False for a clip whose mirror image would be of another, unknown class."""
        clip, first = self.policy(clip, rng) if self.policy else (clip, ())
        part = self.crop(*clip.shape[1:3], rng, crop_size)
        flip = self.flip and rng.random() < 0.5 and may_flip
        drawn_box = part.box(*clip.shape[1:3])
        clip = part.apply(clip, flip=flip)
        clip, second = self.colours(clip, rng) if self.colours else (clip, ())
        return clip, Drawn(drawn_box, flip, (*first, *second))


@dataclass(frozen=True)
class CropTransform:
    """Fixed scale and crop; nothing is drawn.

    Args:
        short_side: px to scale the short side to; no less than the crop.
        crop_size: px.
        position, num_crops, rule: which crop, see `spatial.crop_offset`; by default the centre.
    """

    short_side: int
    crop_size: int
    position: int = 1
    num_crops: int = 3
    rule: str = "slowfast"

    def __call__(self, clip, rng=None, crop_size=None):
        crop = crop_size or self.crop_size
        size = scaled_size(*clip.shape[1:3], max(self.short_side, crop))
        y, x = uniform_offsets(*size, crop, self.position, self.num_crops, self.rule)
        part = ScaledCrop(size, y, x, crop)
        return part.apply(clip), Drawn(part.box(*clip.shape[1:3]))
