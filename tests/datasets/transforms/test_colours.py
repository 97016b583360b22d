"""Colours of a clip: how often, how much, and whether frames share a draw."""

import numpy as np
import pytest

from slowfast.datasets.transforms.colours import ColourJitter

EVA = ColourJitter((0.4, 0.4, 0.2, 0.1), 0.8, per_frame=True, grey=0.2)


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(60, 190, (1, 6, 8, 3), dtype=np.uint8).repeat(3, axis=0)


def is_grey(frames):
    return (frames == frames[..., :1]).all()


def test_how_often(clip):
    told = [EVA(clip, np.random.default_rng(seed)) for seed in range(600)]
    changed = [any(name != "grey" for name in names) for _, names in told]
    assert np.mean(changed) == pytest.approx(0.8, abs=0.05)
    assert np.mean(["grey" in names for _, names in told]) == pytest.approx(0.2, abs=0.05)
    for out, names in told:
        assert out.shape == clip.shape and out.dtype == np.uint8 and out.flags.c_contiguous
        assert is_grey(out) == ("grey" in names)
        assert names or out is clip


def test_frames_share_a_draw_unless_asked_otherwise(clip):
    def differs(jitter):
        return [len(np.unique(jitter(clip, np.random.default_rng(seed))[0], axis=0)) > 1 for seed in range(30)]

    assert any(differs(ColourJitter((0.4, 0.4, 0.2, 0.1), 1.0, per_frame=True)))
    assert not any(differs(ColourJitter((0.4, 0.4, 0.2, 0.1), 1.0)))


def test_brightness_is_a_factor_in_its_range(clip):
    jitter = ColourJitter((0.4, 0.0, 0.0, 0.0), 1.0)
    factors = [jitter(clip, np.random.default_rng(seed))[0].mean() / clip.mean() for seed in range(300)]
    assert 0.59 < min(factors) < 0.63 and 1.33 < max(factors) < 1.41


def test_input_is_left_alone(clip):
    before = clip.copy()
    for seed in range(20):
        EVA(clip, np.random.default_rng(seed))
    assert np.array_equal(clip, before)
