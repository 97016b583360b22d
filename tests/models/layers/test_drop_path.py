"""Stochastic depth: one draw a clip, the mean kept, nothing in evaluation."""

import pytest
import torch

from slowfast.models.layers.drop_path import DropPath, depth_rates


def test_all_frames_of_a_clip_share_a_draw():
    torch.manual_seed(0)
    clips, frames = 64, 3
    out = DropPath(0.25, fold=frames)(torch.ones(clips * frames, 5, 2)).reshape(clips, -1)
    kept = out[:, 0] != 0
    assert 0 < kept.sum() < clips
    assert torch.equal(out, torch.where(kept, 1 / 0.75, 0.0)[:, None].expand_as(out))


def test_the_mean_is_kept():
    torch.manual_seed(0)
    assert DropPath(0.3)(torch.ones(20_000, 1)).mean().item() == pytest.approx(1.0, abs=0.02)


def test_nothing_happens_in_evaluation_or_at_rate_zero():
    x = torch.randn(4, 3)
    assert DropPath(0.5).eval()(x) is x
    assert DropPath(0.0)(x) is x


def test_rates_grow_linearly_from_zero():
    assert depth_rates(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert depth_rates(0.3, 1) == [0.0]
