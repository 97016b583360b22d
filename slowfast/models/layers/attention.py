"""Multi-head self-attention through torch's fused kernel, and its explicit twin for tests and benchmarks."""

import torch
import torch.nn.functional as F
from torch import nn

FEW_KEYS = 32  # at 8 keys, two threads: explicit forward and backward passes in a third of the kernel's time


def explicit_attention(q, k, v, dropout_p=0.0):
    """softmax(q k^T / sqrt(E)) v, written out; q, k, v: (B, H, N, E) -> (B, H, N, E)."""
    weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)  # (B, H, N, N)
    return F.dropout(weights, dropout_p) @ v if dropout_p else weights @ v


def fused_attention(q, k, v, dropout_p=0.0):
    """As `explicit_attention`, by torch's kernel; written out where a CPU has few keys, faster there."""
    if q.device.type == "cpu" and k.shape[-2] <= FEW_KEYS:
        return explicit_attention(q, k, v, dropout_p)
    return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout_p)


IMPLEMENTATIONS = {"sdpa": fused_attention, "explicit": explicit_attention}


class AttentionLayer(nn.Module):
    """What all attention layers share: heads split off and merged again, and a kernel that `set_attention` chooses.

    Args:
        num_heads: H.
    """

    def __init__(self, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.implementation = "sdpa"

    def attend(self, q, k, v, dropout_p=0.0):
        """q: (B, H, N, E), k, v: (B, H, M, E) -> (B, H, N, E)."""
        return IMPLEMENTATIONS[self.implementation](q, k, v, dropout_p=dropout_p)

    def split_heads(self, x):
        """(B, N, D) -> (B, H, N, E)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def merge_heads(self, x):
        """(B, H, N, E) -> (B, N, D)."""
        return x.transpose(1, 2).flatten(2)


class Attention(AttentionLayer):
    """Self-attention with one joint projection for queries, keys and values; state-dict keys qkv.*, proj.*.

    Args:
        dim: width D of the tokens; a multiple of num_heads.
        num_heads: H; each head is E = D / H wide.
        qkv_bias: whether queries, keys and values have a bias.
        key_bias: False: keys have none, and qkv.bias gives way to q_bias and v_bias, as in BEiT, VideoMAE and EVA.
        attention_dropout: drop-out on the attention weights.
        dropout: drop-out after the output projection.
        mix_keys_values: module (B, N, D) -> (B, N, D) applied to keys and to values before the heads are split; None
            for plain attention.
    """

    def __init__(
        self,
        dim,
        num_heads,
        *,
        qkv_bias=True,
        key_bias=True,
        attention_dropout=0.0,
        dropout=0.0,
        mix_keys_values=None,
    ):
        super().__init__(num_heads)
        assert dim % num_heads == 0, f"width {dim} is no multiple of {num_heads} heads"
        self.attention_dropout = attention_dropout
        separate = qkv_bias and not key_bias
        self.q_bias = nn.Parameter(torch.zeros(dim)) if separate else None
        self.v_bias = nn.Parameter(torch.zeros(dim)) if separate else None
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias and key_bias)
        self.mix_keys_values = mix_keys_values
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        q, k, v = self._project(x).chunk(3, dim=-1)  # each (B, N, D)
        if self.mix_keys_values is not None:
            k, v = self.mix_keys_values(k), self.mix_keys_values(v)
            q = q.contiguous()  # a view would keep the joint projection, now of no use, until the backward pass
        dropout_p = self.attention_dropout if self.training else 0.0
        out = self.attend(*map(self.split_heads, (q, k, v)), dropout_p=dropout_p)  # (B, H, N, E)
        return self.proj_drop(self.proj(self.merge_heads(out)))

    def _project(self, x):
        """(B, N, D) -> (B, N, 3 * D)."""
        if self.q_bias is None:
            return self.qkv(x)
        return F.linear(x, self.qkv.weight, torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias]))


def set_attention(model, implementation):
    """Let every AttentionLayer in `model` use "sdpa" (as built) or "explicit".

    Raises: ValueError for another name, or when the model has no such layer.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"attention '{implementation}' is unknown; known: {', '.join(IMPLEMENTATIONS)}")
    layers = [module for module in model.modules() if isinstance(module, AttentionLayer)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no AttentionLayer whose implementation could be chosen")
    for layer in layers:
        layer.implementation = implementation
