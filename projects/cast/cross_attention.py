"""The two directions in which CAST's experts ask each other: along time at each place, over places at each time.

Lee et al. 2023, "CAST: Cross-Attention in Space and Time for Video Action Recognition", https://arxiv.org/abs/2311.18825
"""

# B clips, T time steps, S places of the patch grid, D width of the bottleneck, H heads, E = D / H
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models.layers.attention import AttentionLayer
from slowfast.models.layers.positions import learnt_positions, resize_positions

POSITION_STD = 0.02


class CrossAttention(AttentionLayer):
    """Queries of one expert, keys and values of the other. A subclass names the parameters and the axis.

    Positions are added before the projections, so that values carry them too. Clips of another grid than the
    configured one are taken: positions are resized to it on the fly.

    Args:
        dim: D, a multiple of num_heads.
        num_heads: H.
        grid: (T, rows, columns) that the positions are made for.
    """

    def __init__(self, dim, num_heads, grid):
        super().__init__(num_heads)
        assert dim % num_heads == 0, f"bottleneck width {dim} is no multiple of {num_heads} heads"
        self.grid = tuple(grid)
        self.t2s_proj = nn.Linear(dim, dim)  # released checkpoints use this name in both directions

    def forward(self, asking, asked, grid):
        """Args: asking, asked: tokens of the two experts (B, T, S, D); grid: their (T, rows, columns).

        Returns: what the asking expert was told, (B, T, S, D).
        """
        out = self.attend(*map(self.fold, self.project(asking, asked, grid)))
        return self.t2s_proj(self.unfold(out, asking.shape))

    def _project(self, asking, asked, query, query_bias, key_value, key_value_bias):
        """queries, keys, values, each (B, T, S, D) and contiguous, so that `fold` moves no memory."""
        (key, value), (key_bias, value_bias) = key_value.weight.chunk(2), key_value_bias.chunk(2)
        q = F.linear(asking, query.weight, query_bias)
        return q, F.linear(asked, key, key_bias), F.linear(asked, value, value_bias)

    def softmax_weights(self, asking, asked, grid):
        """What `forward` weighs the values with, for looking inside; the last axis sums to 1."""
        q, k, _ = map(self.fold, self.project(asking, asked, grid))
        return (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)


class AcrossTime(CrossAttention):
    """Temporal to spatial: at each place, the spatial expert's tokens ask the temporal expert's along time.

    State-dict keys clip_time_pos, vmae_time_pos, t2s_q.weight, t2s_q_bias, t2s_kv.weight, t2s_kv_bias, t2s_proj.*.
    """

    def __init__(self, dim, num_heads, grid):
        super().__init__(dim, num_heads, grid)
        self.clip_time_pos = learnt_positions(grid[0], dim, std=POSITION_STD)
        self.vmae_time_pos = learnt_positions(grid[0], dim, std=POSITION_STD)
        self.t2s_q_bias = nn.Parameter(torch.zeros(dim))
        self.t2s_kv_bias = nn.Parameter(torch.zeros(2 * dim))
        self.t2s_q = nn.Linear(dim, dim, bias=False)
        self.t2s_kv = nn.Linear(dim, 2 * dim, bias=False)

    def project(self, asking, asked, grid):
        """queries, keys, values, each (B, T, S, D)."""
        asking = asking + self._times(self.clip_time_pos, grid)
        asked = asked + self._times(self.vmae_time_pos, grid)
        return self._project(asking, asked, self.t2s_q, self.t2s_q_bias, self.t2s_kv, self.t2s_kv_bias)

    def _times(self, table, grid):
        """(T', D) -> (T, 1, D)."""
        return resize_positions(table[None], (self.grid[0], 1, 1), (grid[0], 1, 1), num_prefix=0)[0, :, None]

    def fold(self, x):
        """(B, T, S, D) -> (B, S * H, T, E): every head of every place is a head of its own, without a copy."""
        return x.unflatten(-1, (self.num_heads, -1)).flatten(2, 3).transpose(1, 2)

    def unfold(self, x, shape):
        """(B, S * H, T, E) -> shape (B, T, S, D)."""
        return x.transpose(1, 2).reshape(shape)

    def maps(self, asking, asked, grid):
        """Which times each place asks: (B, S, H, T, T), the softmax over the last axis."""
        return self.softmax_weights(asking, asked, grid).unflatten(1, (-1, self.num_heads))


class AcrossSpace(CrossAttention):
    """Spatial to temporal: at each time, the temporal expert's tokens ask the spatial expert's over all places.

    State-dict keys clip_space_pos, vmae_space_pos, s2t_q.weight, s2t_q_bias, s2t_kv.weight, s2t_kv_bias, t2s_proj.*.
    """

    def __init__(self, dim, num_heads, grid):
        super().__init__(dim, num_heads, grid)
        self.clip_space_pos = learnt_positions(grid[1] * grid[2], dim, std=POSITION_STD)
        self.vmae_space_pos = learnt_positions(grid[1] * grid[2], dim, std=POSITION_STD)
        self.s2t_q_bias = nn.Parameter(torch.zeros(dim))
        self.s2t_kv_bias = nn.Parameter(torch.zeros(2 * dim))
        self.s2t_q = nn.Linear(dim, dim, bias=False)
        self.s2t_kv = nn.Linear(dim, 2 * dim, bias=False)

    def project(self, asking, asked, grid):
        """queries, keys, values, each (B, T, S, D)."""
        asking = asking + self._places(self.vmae_space_pos, grid)
        asked = asked + self._places(self.clip_space_pos, grid)
        return self._project(asking, asked, self.s2t_q, self.s2t_q_bias, self.s2t_kv, self.s2t_kv_bias)

    def _places(self, table, grid):
        """(S', D) -> (S, D)."""
        return resize_positions(table[None], self.grid[1:], grid[1:], num_prefix=0)[0]

    def fold(self, x):
        """(B, T, S, D) -> (B * T, H, S, E)."""
        return self.split_heads(x.flatten(0, 1))

    def unfold(self, x, shape):
        """(B * T, H, S, E) -> shape (B, T, S, D)."""
        return self.merge_heads(x).reshape(shape)

    def maps(self, asking, asked, grid):
        """Which places each moment asks: (B, T, H, S, S), the softmax over the last axis."""
        return self.softmax_weights(asking, asked, grid).unflatten(0, (asking.shape[0], -1))
