"""Tube masks: which tokens of a clip a masked autoencoder hides, the same patches at every time step; pure functions.

Tong et al. 2022, https://arxiv.org/abs/2203.12602, section 3.3. Tokens are counted time-major, then rows, then columns.
"""

import torch


def num_hidden_patches(ratio, num_patches):
    """Patches hidden in each of a clip's time steps: the part `ratio` of `num_patches`, rounded down."""
    return int(ratio * num_patches)


def random_tube(grid, ratio, rng):
    """Hidden tokens of one clip, drawn uniformly among all tube masks.

    Args:
        grid: (time steps, rows, columns) of tokens.
        ratio: part of the patches to hide, in [0, 1).
        rng: numpy Generator.
    Returns:
        int64 (M,), ascending; M = time steps * num_hidden_patches.
    """
    num_patches = grid[1] * grid[2]
    drawn = rng.permutation(num_patches)[: num_hidden_patches(ratio, num_patches)]
    return _through_time(torch.from_numpy(drawn).sort().values, grid)


def even_tube(grid, ratio):
    """As random_tube, but nothing is drawn: the hidden patches are spread evenly over the raster."""
    num_patches = grid[1] * grid[2]
    num_hidden = num_hidden_patches(ratio, num_patches)
    return _through_time(torch.arange(num_hidden) * num_patches // max(num_hidden, 1), grid)


def _through_time(patches, grid):
    """(m,) patches of one time step -> (time steps * m,) tokens."""
    steps = torch.arange(grid[0]) * (grid[1] * grid[2])
    return (steps[:, None] + patches).flatten()
