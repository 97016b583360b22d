"""Position embeddings on a patch grid: learnt and fixed tables, and their resizing to another grid."""

import torch
import torch.nn.functional as F
from torch import nn


def learnt_positions(*shape, std):
    """Parameter of `shape`, drawn from a normal distribution of scale `std`, cut at two scales; zeros for std 0."""
    table = torch.zeros(shape)
    return nn.Parameter(nn.init.trunc_normal_(table, std=std, a=-2 * std, b=2 * std) if std else table)


def sincos_positions(num_tokens, dim):
    """The fixed table of VideoMAE, one sequence over all patches: sines in even columns, cosines in odd ones.

    Row p, column j has the angle p / 10000^(2 floor(j / 2) / dim).
    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Tong et al. 2022, https://arxiv.org/abs/2203.12602

    Args:
        num_tokens: patches of a clip, time-major, then rows, then columns.
        dim: width of the tokens; even or odd.
    Returns:
        float32 (1, num_tokens, dim), computed in float64 and rounded once.
    """
    pair = torch.arange(dim, dtype=torch.float64) // 2 * 2
    angle = torch.arange(num_tokens, dtype=torch.float64)[:, None] / torch.pow(10000.0, pair / dim)  # (N, D)
    angle[:, 0::2] = angle[:, 0::2].sin()
    angle[:, 1::2] = angle[:, 1::2].cos()
    return angle.float()[None]


def resize_positions(positions, old_grid, new_grid, num_prefix=1, *, mode="bicubic"):
    """Positions for another patch grid: interpolated in space for each time step, then linearly in time.

    Both with half-pixel centres and no corner alignment.

    Args:
        positions: (1, num_prefix + cells, D), row-major over `old_grid`.
        old_grid, new_grid: (rows, columns), or (time, rows, columns).
        num_prefix: leading tokens that have no place on the grid (class token); they are left alone.
        mode: "bicubic" or "bilinear", in space.
    Returns:
        (1, num_prefix + new cells, D); `positions` itself when the grids are equal.
    """
    if tuple(old_grid) == tuple(new_grid):
        return positions
    prefix, table = positions[:, :num_prefix], positions[0, num_prefix:]
    *old_time, old_rows, old_columns = old_grid
    *new_time, rows, columns = new_grid
    table = table.unflatten(0, (-1, old_rows, old_columns)).permute(0, 3, 1, 2)  # (T, D, rows, columns)
    if (old_rows, old_columns) != (rows, columns):
        table = F.interpolate(table, size=(rows, columns), mode=mode, align_corners=False)
    if old_time != new_time:
        lines = table.permute(1, 2, 3, 0).flatten(1, 2)  # (D, rows * columns, T)
        lines = F.interpolate(lines, size=new_time[0], mode="linear", align_corners=False)
        table = lines.unflatten(1, (rows, columns)).permute(3, 0, 1, 2)
    return torch.cat([prefix, table.permute(0, 2, 3, 1).reshape(1, -1, positions.shape[-1])], dim=1)
