"""Tube masks: the same patches at every time step, as many as the ratio says, drawn evenly."""

import numpy as np
import pytest
import torch

from slowfast.utils.tube_masks import even_tube, num_hidden_patches, random_tube

GRID = (3, 4, 5)


@pytest.mark.parametrize("ratio, hidden", [(0.9, 18), (0.75, 15), (0.5, 10), (0.33, 6), (0.0, 0)])
@pytest.mark.parametrize(
    "make", [lambda ratio: random_tube(GRID, ratio, np.random.default_rng(1)), lambda r: even_tube(GRID, r)]
)
def test_the_same_patches_at_every_time_step(make, ratio, hidden):
    tokens = make(ratio)
    assert tokens.dtype == torch.int64 and tokens.tolist() == sorted(set(tokens.tolist()))
    mask = torch.zeros(60, dtype=torch.bool)
    mask[tokens] = True
    assert (mask.view(3, 20) == mask[:20]).all()
    assert mask[:20].sum() == hidden


@pytest.mark.parametrize("ratio, patches, hidden", [(0.9, 196, 176), (0.75, 196, 147), (0.75, 9, 6), (0.99, 4, 3)])
def test_numbers_are_rounded_down(ratio, patches, hidden):
    assert num_hidden_patches(ratio, patches) == hidden


def test_every_patch_is_hidden_equally_often():
    rng = np.random.default_rng(0)
    drawn = torch.stack([random_tube((1, 4, 5), 0.5, rng) for _ in range(4000)])
    shares = torch.bincount(drawn.flatten(), minlength=20) / 4000
    assert (shares - 0.5).abs().max() < 5 * (0.25 / 4000) ** 0.5  # five standard deviations


def test_the_even_tube_leaves_no_large_hole():
    hidden = even_tube((1, 4, 5), 0.75).tolist()
    visible = [patch for patch in range(20) if patch not in hidden]
    assert len(visible) == 5 and max(np.diff(visible)) <= 5
