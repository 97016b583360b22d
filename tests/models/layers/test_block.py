"""The pre-norm block against torch's own encoder layer."""

import torch
from torch import nn

from slowfast.models.layers.block import Block

D, H = 12, 3


def torch_layer(block):
    layer = nn.TransformerEncoderLayer(
        D, H, 2 * D, dropout=0.0, activation="gelu", norm_first=True, batch_first=True, layer_norm_eps=1e-6
    )
    names = {
        "self_attn.in_proj_weight": block.attn.qkv.weight,
        "self_attn.in_proj_bias": block.attn.qkv.bias,
        "self_attn.out_proj.weight": block.attn.proj.weight,
        "self_attn.out_proj.bias": block.attn.proj.bias,
        "linear1.weight": block.mlp.fc1.weight,
        "linear1.bias": block.mlp.fc1.bias,
        "linear2.weight": block.mlp.fc2.weight,
        "linear2.bias": block.mlp.fc2.bias,
    } | {
        f"{norm}.{key}": tensor
        for norm in ("norm1", "norm2")
        for key, tensor in getattr(block, norm).named_parameters()
    }
    layer.load_state_dict(names)
    return layer


def test_it_equals_torchs_pre_norm_layer():
    torch.manual_seed(0)
    block = Block(D, H, mlp_ratio=2, norm_eps=1e-6)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 5, D) * 1e-3  # small, so that eps matters
    torch.testing.assert_close(block(x), torch_layer(block)(x), rtol=1e-4, atol=1e-6)


def test_drop_path_takes_both_branches_of_a_clip():
    torch.manual_seed(0)
    block = Block(D, H, drop_path=0.5, fold=2)
    x = torch.randn(64 * 2, 5, D)
    unchanged = (block(x) == x).flatten(1).all(dim=1).reshape(64, 2)
    assert torch.equal(unchanged[:, 0], unchanged[:, 1])
    assert 4 <= unchanged[:, 0].sum() <= 32  # both branches dropped: a quarter of the clips


def test_drop_out_is_on_in_training_only():
    torch.manual_seed(0)
    block = Block(D, H, dropout=0.5, attention_dropout=0.5)
    x = torch.randn(2, 5, D)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))
