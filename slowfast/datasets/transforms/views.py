"""What happens to a clip's pixels in training, validation and test: callables `transform(clip, rng, crop_size=None)`.

clip: uint8 (T, H, W, C); rng: numpy Generator, the only source of chance; result: uint8 (T, h, w, C).
"""

from dataclasses import dataclass

from slowfast.datasets.transforms.spatial import (
    jittered_short_side,
    random_offset,
    scale_and_crop,
    scaled_size,
    uniform_offsets,
)


@dataclass(frozen=True)
class TrainTransform:
    """Random scale, random crop, random flip; one draw for the whole clip.

    Args:
        scales: (low, high) px, range of the short side; DATA.TRAIN_JITTER_SCALES.
        crop_size: px, DATA.TRAIN_CROP_SIZE. A call with another `crop_size` scales `low` in proportion, as
            PySlowFast's multigrid training does.
        flip: mirror half of the clips; DATA.RANDOM_FLIP.
        inverse_scale: DATA.INV_UNIFORM_SAMPLE.
    """

    scales: tuple[int, int]
    crop_size: int
    flip: bool
    inverse_scale: bool = False

    def __call__(self, clip, rng, crop_size=None):
        crop = crop_size or self.crop_size
        low, high = round(self.scales[0] * crop / self.crop_size), self.scales[1]
        short_side = jittered_short_side(low, max(low, high), rng.random(), inverse=self.inverse_scale)
        size = scaled_size(*clip.shape[1:3], short_side)
        y, x = random_offset(size[0], crop, rng), random_offset(size[1], crop, rng)
        return scale_and_crop(clip, size, y, x, crop, flip=self.flip and rng.random() < 0.5)


@dataclass(frozen=True)
class CropTransform:
    """Fixed scale and crop; nothing is drawn.

    Args:
        short_side: px to scale the short side to; no less than the crop.
        crop_size: px.
        position: 0, 1, 2 = left, centre, right (top, centre, bottom where higher than wide).
    """

    short_side: int
    crop_size: int
    position: int = 1

    def __call__(self, clip, rng=None, crop_size=None):
        crop = crop_size or self.crop_size
        size = scaled_size(*clip.shape[1:3], max(self.short_side, crop))
        y, x = uniform_offsets(*size, crop, self.position)
        return scale_and_crop(clip, size, y, x, crop)
