"""Position embeddings on a patch grid: learnt tables and their resizing to another grid."""

import torch
import torch.nn.functional as F
from torch import nn


def learnt_positions(*shape, std):
    """Parameter of `shape`, drawn from a normal distribution of scale `std`, cut at two scales."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=std, a=-2 * std, b=2 * std))


def resize_positions(positions, old_grid, new_grid, num_prefix=1):
    """Positions for another patch grid, by bicubic interpolation (half-pixel centres, no corner alignment).

    Args:
        positions: (1, num_prefix + rows * columns, D), row-major over `old_grid`.
        old_grid, new_grid: (rows, columns).
        num_prefix: leading tokens that have no place on the grid (class token); they are left alone.
    Returns:
        (1, num_prefix + new rows * new columns, D); `positions` itself when the grids are equal.
    """
    if tuple(old_grid) == tuple(new_grid):
        return positions
    prefix, table = positions[:, :num_prefix], positions[:, num_prefix:]
    table = table.unflatten(1, tuple(old_grid)).permute(0, 3, 1, 2)  # (1, D, rows, columns)
    table = F.interpolate(table, size=tuple(new_grid), mode="bicubic", align_corners=False)
    return torch.cat([prefix, table.flatten(2).transpose(1, 2)], dim=1)
