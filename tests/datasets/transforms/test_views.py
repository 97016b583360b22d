"""Train, validation and test views of a clip."""

import numpy as np
import pytest

from slowfast.datasets.transforms import CropTransform, TrainTransform, spatial


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 256, (3, 40, 56, 3), dtype=np.uint8)


def test_train_draws_scale_place_and_flip(clip, monkeypatch):
    """What it asks of scale_and_crop over many draws: every short side, both ends of each range, half flipped."""
    asked = []

    def record(clip, size, y, x, crop, *, flip):
        asked.append((size, y, x, crop, flip))

    monkeypatch.setattr("slowfast.datasets.transforms.views.scale_and_crop", record)
    transform = TrainTransform((30, 34), crop_size=28, flip=True)
    for seed in range(400):
        transform(clip, np.random.default_rng(seed))
    assert {size for size, *_ in asked} == {spatial.scaled_size(40, 56, side) for side in range(30, 35)}
    for size, y, x, crop, _ in asked:
        assert crop == 28 and 0 <= y <= size[0] - 28 and 0 <= x <= size[1] - 28
    assert {y for size, y, *_ in asked if size[0] == 30} == {0, 1, 2}
    assert 160 < sum(flip for *_, flip in asked) < 240


def test_train_is_one_draw_for_all_frames(clip):
    clip[:] = clip[:1]
    out = TrainTransform((30, 44), crop_size=28, flip=True)(clip, np.random.default_rng(3))
    assert out.shape == (3, 28, 28, 3)
    assert np.array_equal(out[0], out[2])


def test_train_depends_on_the_generator_alone(clip):
    transform = TrainTransform((30, 44), crop_size=28, flip=True)
    first, second, other = (transform(clip, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_train_never_flips_unless_asked(clip, monkeypatch):
    flips = []
    monkeypatch.setattr("slowfast.datasets.transforms.views.scale_and_crop", lambda *args, flip: flips.append(flip))
    for seed in range(20):
        TrainTransform((30, 34), crop_size=28, flip=False)(clip, np.random.default_rng(seed))
    assert not any(flips)


def test_another_crop_size_scales_the_lower_bound(clip, monkeypatch):
    """PySlowFast's multigrid facts: low = round(SCALES[0] * crop / default crop), high is left unchanged."""
    asked = []
    monkeypatch.setattr(
        "slowfast.datasets.transforms.views.scale_and_crop",
        lambda clip, size, y, x, crop, *, flip: asked.append((min(size), crop)),
    )
    for seed in range(300):
        TrainTransform((32, 36), crop_size=28, flip=False)(clip, np.random.default_rng(seed), crop_size=14)
    assert {crop for _, crop in asked} == {14}
    assert {side for side, _ in asked} == set(range(16, 37))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_crops_of_a_view(clip, position):
    """No scaling is needed here, so the crops are slices, worked out by hand: (40 - 30) / 2 = 5, (56 - 30) / 2 = 13."""
    x = (0, 13, 26)[position]
    out = CropTransform(short_side=40, crop_size=30, position=position)(clip)
    assert np.array_equal(out, clip[:, 5:35, x : x + 30])
    upright = CropTransform(short_side=40, crop_size=30, position=position)(clip.transpose(0, 2, 1, 3))
    assert np.array_equal(upright, clip[:, 5:35, x : x + 30].transpose(0, 2, 1, 3))


def test_short_side_is_never_below_the_crop(clip):
    assert CropTransform(short_side=20, crop_size=30)(clip).shape == (3, 30, 30, 3)
