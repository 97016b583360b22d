"""Parts of CAST's two experts that the core's layers do not have: CLIP's attention and MLP, and adapters."""

import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models.layers.attention import AttentionLayer

CLIP_GELU_SLOPE = 1.702


class Adapter(nn.Module):
    """Linear, exact GELU, Linear through a narrow middle; state-dict keys D_fc1.*, D_fc2.*.

    The second layer starts at zero, so that at first an adapter adds nothing to the expert around it.

    Args:
        dim: width D of the tokens.
        ratio: width of the middle over D, rounded down.
        skip: add the input to the output.
    Source: Yang et al. 2023, "AIM", https://arxiv.org/abs/2302.03024
    """

    def __init__(self, dim, ratio, *, skip):
        super().__init__()
        self.D_fc1 = nn.Linear(dim, int(dim * ratio))
        self.D_fc2 = nn.Linear(int(dim * ratio), dim)
        self.skip = skip

    def forward(self, x):
        """x: (..., D) -> (..., D)."""
        update = self.D_fc2(F.gelu(self.D_fc1(x)))
        return x + update if self.skip else update


class ClipAttention(AttentionLayer):
    """Self-attention with CLIP's state-dict keys: in_proj_weight, in_proj_bias, out_proj.*.

    Args:
        dim: width D of the tokens; a multiple of num_heads.
        num_heads: H; each head is E = D / H wide.
    """

    def __init__(self, dim, num_heads):
        super().__init__(num_heads)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)  # each (B, N, D)
        return self.out_proj(self.merge_heads(self.attend(*map(self.split_heads, (q, k, v)))))


class ClipMlp(nn.Module):
    """Linear, x sigmoid(1.702 x), Linear; four times as wide in the middle; state-dict keys c_fc.*, c_proj.*."""

    def __init__(self, dim):
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x):
        """x: (..., D) -> (..., D)."""
        hidden = self.c_fc(x) * CLIP_GELU_SLOPE
        return self.c_proj(F.silu(hidden) / CLIP_GELU_SLOPE)  # silu keeps one tensor for the backward pass, not two
