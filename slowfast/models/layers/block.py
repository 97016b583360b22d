"""The pre-norm transformer block, and a stack of them that may trade time for memory."""

from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from slowfast.models.layers.attention import Attention
from slowfast.models.layers.drop_path import DropPath
from slowfast.models.layers.mlp import Mlp

aten = torch.ops.aten
KEPT = {  # the operators whose outputs a policy of recomputation keeps
    "attention": (
        aten._scaled_dot_product_flash_attention_for_cpu.default,
        aten._scaled_dot_product_flash_attention.default,
        aten._scaled_dot_product_efficient_attention.default,
        aten._scaled_dot_product_cudnn_attention.default,
    ),
    "linear": (aten.addmm.default, aten.mm.default),
}


class Block(nn.Module):
    """x + attn(norm1(x)), then x + mlp(norm2(x)); state-dict keys norm1.*, attn.*, norm2.*, mlp.*.

    Args:
        dim: width D of the tokens.
        num_heads: attention heads; a divisor of dim.
        mlp_ratio: width of the MLP over dim.
        mlp_dim: width of the MLP, where mlp_ratio does not say it.
        qkv_bias, key_bias: see Attention.
        norm_eps: eps of both LayerNorms.
        dropout: drop-out after the attention's projection and after the MLP.
        hidden_dropout: drop-out inside the MLP.
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
        mlp_dim=None,
        qkv_bias=True,
        key_bias=True,
        norm_eps=1e-5,
        dropout=0.0,
        hidden_dropout=0.0,
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
            key_bias=key_bias,
            attention_dropout=attention_dropout,
            dropout=dropout,
            mix_keys_values=mix_keys_values,
        )
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = Mlp(dim, mlp_dim or int(dim * mlp_ratio), dropout=dropout, hidden_dropout=hidden_dropout)
        self.drop_path = DropPath(drop_path, fold=fold)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class BlockStack(nn.ModuleList):
    """Blocks one after the other; state-dict keys 0.*, 1.*, ... as of any ModuleList.

    Args:
        blocks: modules (B, N, D) -> (B, N, D).
        act_checkpoint: where gradients are recorded, keep only each block's input and run the block again in the
            backward pass: one more forward pass, the activations of one block instead of all.
        keep: names in KEPT: outputs that are kept all the same, so that they are not computed twice.
    """

    def __init__(self, blocks, *, act_checkpoint=False, keep=()):
        super().__init__(blocks)
        self.act_checkpoint = act_checkpoint
        self.keep = tuple(keep)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        recompute = self.act_checkpoint and torch.is_grad_enabled()
        for block in self:
            x = checkpoint(block, x, use_reentrant=False, **self._policy()) if recompute else block(x)
        return x

    def _policy(self):
        if not self.keep:
            return {}
        kept = [operator for name in self.keep for operator in KEPT[name]]
        return {"context_fn": partial(create_selective_checkpoint_contexts, kept)}


def set_act_checkpoint(model, on, keep=()):
    """Switch the recomputation of every BlockStack in `model` on or off; keep: see BlockStack.

    Raises: ValueError when the model has no such layer.
    """
    stacks = [module for module in model.modules() if isinstance(module, BlockStack)]
    if not stacks:
        raise ValueError(f"{type(model).__name__} has no BlockStack whose activations could be recomputed")
    for stack in stacks:
        stack.act_checkpoint, stack.keep = on, tuple(keep)


def wrapping_units(model):
    """Modules that a wrapper takes one by one, as FSDP's `fully_shard` does: every block of every BlockStack.

    They share no parameter, and are what recomputation runs again, so that one gathering serves one recomputation.
    """
    return [block for stack in model.modules() if isinstance(stack, BlockStack) for block in stack]
