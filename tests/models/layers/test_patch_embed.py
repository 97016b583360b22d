"""Patches against a cut by hand."""

import pytest
import torch

from slowfast.models.layers.patch_embed import PatchEmbed


@pytest.mark.parametrize("patch, size", [((2, 3), (6, 12)), ((2, 3, 4), (4, 9, 8))])
def test_tokens_are_projected_patches_in_row_major_order(patch, size):
    torch.manual_seed(0)
    layer = PatchEmbed(5, 7, patch)
    x = torch.randn(2, 5, *size)
    pieces = x
    for axis, side in enumerate(patch):
        pieces = pieces.unfold(2 + axis, side, side)
    grid = pieces.shape[2 : 2 + len(patch)]
    pieces = pieces.movedim(1, 1 + len(patch)).reshape(2, grid.numel(), -1)  # (B, N, C * patch)
    expected = pieces @ layer.proj.weight.flatten(1).T + layer.proj.bias
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)
    assert layer.grid(size) == tuple(grid)


@pytest.mark.parametrize("size", [(6, 13), (7, 12), (6, 12, 2)])
def test_a_size_that_would_be_cut_off_is_refused(size):
    with pytest.raises(ValueError, match="cannot be cut into patches"):
        PatchEmbed(5, 7, (2, 3))(torch.zeros(1, 5, *size))
