"""The layers of a LLaMA language model as a vision network uses them: frozen, every token sees every other one.

Touvron et al. 2023, https://arxiv.org/abs/2302.13971, with the grouped-query attention of LLaMA 2 and 3; without rotary
positions and causal mask, after Pang et al. 2024, "Frozen Transformers in Language Models Are Effective Visual Encoder
Layers", https://arxiv.org/abs/2310.12973. Numbers of the released code: tests/parity.
"""

# B clips, N tokens, D width, H query heads and G key heads of width E = D / H
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models.layers.attention import AttentionLayer
from slowfast.models.layers.block import BlockStack
from slowfast.models.layers.frozen_linear import FrozenLinear


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight, in float32 or better, also under autocast; the weight is not trained.

    Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467. State-dict key weight.
    """

    def __init__(self, dim, eps):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim), requires_grad=False)

    def forward(self, x):
        """x: (..., D), floating -> (..., D), float32 or float64."""
        x = _at_least_float32(x)
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), self.eps)

    def extra_repr(self):
        return f"{len(self.weight)}, eps={self.eps}"


class LlamaAttention(AttentionLayer):
    """Self-attention without biases; H / G neighbouring query heads share a key head. Keys wq, wk, wv, wo (.weight).

    Args:
        dim: D.
        num_heads, num_kv_heads: H, G; G divides H, H divides D.
        storage: see FrozenLinear.
    """

    def __init__(self, dim, num_heads, num_kv_heads, *, storage="fp32"):
        super().__init__(num_heads)
        self.num_kv_heads = num_kv_heads
        key_dim = dim // num_heads * num_kv_heads
        self.wq = FrozenLinear(dim, dim, storage=storage)
        self.wk = FrozenLinear(dim, key_dim, storage=storage)
        self.wv = FrozenLinear(dim, key_dim, storage=storage)
        self.wo = FrozenLinear(dim, dim, storage=storage)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        k, v = (self._shared(project(x)) for project in (self.wk, self.wv))
        return self.wo(self.merge_heads(self.attend(self.split_heads(self.wq(x)), k, v)))

    def _shared(self, x):
        """Keys or values (B, N, G E) -> one for each query head (B, H, N, E)."""
        heads = x.unflatten(-1, (self.num_kv_heads, -1)).transpose(1, 2)  # (B, G, N, E)
        return heads.repeat_interleave(self.num_heads // self.num_kv_heads, dim=1)


class LlamaFeedForward(nn.Module):
    """w2(silu(w1 x) * w3 x); Shazeer 2020, https://arxiv.org/abs/2002.05202. State-dict keys w1, w2, w3 (.weight)."""

    def __init__(self, dim, hidden_dim, *, storage="fp32"):
        super().__init__()
        self.w1 = FrozenLinear(dim, hidden_dim, storage=storage)
        self.w2 = FrozenLinear(hidden_dim, dim, storage=storage)
        self.w3 = FrozenLinear(dim, hidden_dim, storage=storage)

    def forward(self, x):
        """x: (..., D) -> (..., D)."""
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class LlamaLayer(nn.Module):
    """x + attention(attention_norm(x)), then x + feed_forward(ffn_norm(x)); Meta's names in the state dict.

    Args:
        dim, num_heads, num_kv_heads: see LlamaAttention.
        ffn_dim: hidden width of the feed-forward part.
        norm_eps: eps of both norms.
        storage: see FrozenLinear; norm weights are float32 in any case.
    """

    def __init__(self, dim, num_heads, num_kv_heads, ffn_dim, *, norm_eps=1e-6, storage="fp32"):
        super().__init__()
        self.attention = LlamaAttention(dim, num_heads, num_kv_heads, storage=storage)
        self.feed_forward = LlamaFeedForward(dim, ffn_dim, storage=storage)
        self.attention_norm = RMSNorm(dim, norm_eps)
        self.ffn_norm = RMSNorm(dim, norm_eps)

    def forward(self, x):
        """x: (B, N, D), float32 or better -> (B, N, D) of the same type, whatever autocast computes in between."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(nn.Module):
    """Layers cut out of a language model, then its norm; state-dict keys layers.{0, 1, ...}.*, norm.weight.

    Args:
        num_layers: how many.
        dim, num_heads, num_kv_heads, ffn_dim, norm_eps, storage: see LlamaLayer.
        act_checkpoint: see BlockStack.
    """

    def __init__(
        self,
        num_layers,
        dim,
        num_heads,
        num_kv_heads,
        ffn_dim,
        *,
        norm_eps=1e-6,
        storage="fp32",
        act_checkpoint=False,
    ):
        super().__init__()
        layers = [
            LlamaLayer(dim, num_heads, num_kv_heads, ffn_dim, norm_eps=norm_eps, storage=storage)
            for _ in range(num_layers)
        ]
        self.layers = BlockStack(layers, act_checkpoint=act_checkpoint)
        self.norm = RMSNorm(dim, norm_eps)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D), float32 or float64."""
        return self.norm(self.layers(_at_least_float32(x)))


def _at_least_float32(x):
    return x.to(torch.promote_types(x.dtype, torch.float32))
