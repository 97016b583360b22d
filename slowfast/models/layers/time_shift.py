"""Shift of channels along time, the mixing of XViT's space-time attention.

Bulat et al. 2021, "Space-time Mixing Attention for Video Transformer", https://arxiv.org/abs/2106.05968
"""

import torch
import torch.nn.functional as F
from torch import nn


class TimeShift(nn.Module):
    """Of D channels, the first D // div come from the next frame, as many more from the previous one; the rest stay.

    Applied to keys and values before the heads are split, so channels count over the heads in order and a head may be
    cut in two. Frames are shifted within groups of `num_segments`; where a group has no neighbour, zeros come in.

    Args:
        num_segments: S, consecutive frames that see each other.
        div: part of the channels that moves in each direction, as a divisor; >= 2.
    """

    def __init__(self, num_segments, div):
        super().__init__()
        assert div >= 2, f"a shift divisor of {div} would move more channels than there are"
        self.num_segments = num_segments
        self.div = div

    def forward(self, x):
        """x: (G * S, N, D) -> the same shape."""
        dim = x.shape[-1]
        fold = dim // self.div
        frames = x.unflatten(0, (-1, self.num_segments))  # (G, S, N, D)
        ahead, behind, still = frames.split([fold, fold, dim - 2 * fold], dim=-1)  # one split: one copy backward
        ahead = F.pad(ahead, (0, 0, 0, 0, -1, 1))  # frame t takes t + 1
        behind = F.pad(behind, (0, 0, 0, 0, 1, -1))  # frame t takes t - 1
        return torch.cat([ahead, behind, still], dim=-1).flatten(0, 1)

    def extra_repr(self):
        return f"num_segments={self.num_segments}, div={self.div}"
