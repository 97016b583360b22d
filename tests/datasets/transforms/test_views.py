"""Train, validation and test views of a clip."""

import numpy as np
import pytest

from slowfast.datasets.transforms import CropTransform, TrainTransform
from slowfast.datasets.transforms.crops import JitteredCrop


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)


def train(scales=(30, 44), crop=28, flip=True):
    return TrainTransform(JitteredCrop(scales, crop), flip=flip)


def test_train_is_one_draw_for_all_frames(clip):
    clip[:] = clip[:1]
    out, _ = train()(clip, np.random.default_rng(3))
    assert out.shape == (3, 28, 28, 3)
    assert np.array_equal(out[0], out[2])


def test_train_depends_on_the_generator_alone(clip):
    first, second, other = (train()(clip, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_half_of_the_clips_are_mirrored(clip):
    """Of pictures that are twice as bright on the right; never unless asked, nor where the clip may not be."""
    clip[:] = np.linspace(0, 255, 56, dtype=np.uint8)[None, None, :, None]
    results = [train()(clip, np.random.default_rng(seed)) for seed in range(400)]
    for out, drawn in results:
        assert drawn.flipped == (out[0, 0, 0, 0] > out[0, 0, -1, 0])
    assert 160 < sum(drawn.flipped for _, drawn in results) < 240
    for seed in range(20):
        assert not train(flip=False)(clip, np.random.default_rng(seed))[1].flipped
        assert not train()(clip, np.random.default_rng(seed), may_flip=False)[1].flipped


def test_what_was_drawn_is_what_is_seen(clip):
    """Pictures whose values are their coordinates: the box says which part the result shows."""
    rows, columns = np.meshgrid(np.arange(40), np.arange(56), indexing="ij")
    clip[:] = np.stack([4 * rows, 4 * columns, 0 * rows], axis=-1)
    for seed in range(20):
        out, drawn = train(flip=False)(clip, np.random.default_rng(seed))
        y, x, height, width = drawn.box
        first, last = out[0, 0, 0] / 4 + 0.5, out[0, -1, -1] / 4 + 0.5  # centres of the corners' pixels
        step = height / 28
        assert first[:2] == pytest.approx((y + step / 2, x + step / 2), abs=0.6)
        assert last[:2] == pytest.approx((y + height - step / 2, x + width - step / 2), abs=0.6)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_crops_of_a_view(clip, position):
    """No scaling is needed here, so the crops are slices, worked out by hand: (40 - 30) / 2 = 5, (56 - 30) / 2 = 13."""
    x = (0, 13, 26)[position]
    out, drawn = CropTransform(short_side=40, crop_size=30, position=position)(clip)
    assert np.array_equal(out, clip[:, 5:35, x : x + 30]) and drawn.box == (5, x, 30, 30)
    upright, _ = CropTransform(short_side=40, crop_size=30, position=position)(clip.transpose(0, 2, 1, 3))
    assert np.array_equal(upright, clip[:, 5:35, x : x + 30].transpose(0, 2, 1, 3))


def test_short_side_is_never_below_the_crop(clip):
    assert CropTransform(short_side=20, crop_size=30)(clip)[0].shape == (3, 30, 30, 3)
