"""The pre-norm transformer block."""

from torch import nn

from slowfast.models.layers.attention import Attention
from slowfast.models.layers.drop_path import DropPath
from slowfast.models.layers.mlp import Mlp


class Block(nn.Module):
    """x + attn(norm1(x)), then x + mlp(norm2(x)); state-dict keys norm1.*, attn.*, norm2.*, mlp.*.

    Args:
        dim: width D of the tokens.
        num_heads: attention heads; a divisor of dim.
        mlp_ratio: width of the MLP over dim.
        qkv_bias: whether queries, keys and values have a bias.
        norm_eps: eps of both LayerNorms.
        dropout: drop-out after the attention's projection and in the MLP.
        attention_dropout: drop-out on the attention weights.
        drop_path: probability that a clip skips a branch in training.
        fold: batch rows of one clip (see DropPath).
        mix_keys_values: see Attention.
    """

    def __init__(
        self,
        dim,
        num_heads,
        *,
        mlp_ratio=4.0,
        qkv_bias=True,
        norm_eps=1e-5,
        dropout=0.0,
        attention_dropout=0.0,
        drop_path=0.0,
        fold=1,
        mix_keys_values=None,
    ):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attn = Attention(
            dim,
            num_heads,
            qkv_bias=qkv_bias,
            attention_dropout=attention_dropout,
            dropout=dropout,
            mix_keys_values=mix_keys_values,
        )
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), dropout=dropout)
        self.drop_path = DropPath(drop_path, fold=fold)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
