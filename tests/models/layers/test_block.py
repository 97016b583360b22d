"""The pre-norm block against torch's own encoder layer."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from slowfast.models.layers.attention import FEW_KEYS
from slowfast.models.layers.block import KEPT, Block, BlockStack, set_act_checkpoint

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


def test_drop_out_inside_the_mlp_is_apart():
    block = Block(D, H, dropout=0.2, hidden_dropout=0.3)
    rates = {name: module.p for name, module in block.named_modules() if isinstance(module, nn.Dropout)}
    assert rates == {"attn.proj_drop": 0.2, "mlp.hidden_drop": 0.3, "mlp.drop": 0.2}


def gradients(stack, x):
    stack.zero_grad()
    torch.manual_seed(3)  # drop-out draws
    stack(x).square().sum().backward()
    return [parameter.grad.clone() for parameter in stack.parameters()]


def test_a_stack_recomputes_its_blocks_where_gradients_are_recorded():
    torch.manual_seed(0)
    stack, calls = BlockStack([Block(D, H, dropout=0.5), Block(D, H)]), []
    stack[1].register_forward_pre_hook(lambda *args: calls.append(1))
    x = torch.randn(2, 5, D)
    for mode in (True, False):
        stack.train(mode)
        set_act_checkpoint(stack, False)
        kept = gradients(stack, x)
        set_act_checkpoint(nn.Sequential(stack), True)
        calls.clear()
        assert all(map(torch.equal, kept, gradients(stack, x)))
        assert len(calls) == 2
    with torch.no_grad():
        stack(x)
    assert len(calls) == 3
    assert set(stack.state_dict()) == set(nn.ModuleList(stack).state_dict())
    with pytest.raises(ValueError, match="no BlockStack"):
        set_act_checkpoint(nn.Linear(2, 2), True)


def test_drop_out_is_on_in_training_only():
    torch.manual_seed(0)
    block = Block(D, H, dropout=0.5, attention_dropout=0.5)
    x = torch.randn(2, 5, D)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


class Counted(TorchDispatchMode):
    """How often each operator runs."""

    def __init__(self):
        super().__init__()
        self.times = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.times[func] = self.times.get(func, 0) + 1
        return func(*args, **(kwargs or {}))


def test_what_a_policy_keeps_is_not_computed_twice():
    torch.manual_seed(0)
    stack = BlockStack([Block(D, H, mlp_ratio=2.0, drop_path=0.3) for _ in range(2)]).train()
    x = torch.randn(4, FEW_KEYS + 1, D)
    attention, linear = KEPT["attention"][0], KEPT["linear"][0]
    times, grads = {}, {}
    for keep in (None, (), ("attention",), ("attention", "linear")):
        set_act_checkpoint(stack, keep is not None, keep or ())
        stack.zero_grad()
        torch.manual_seed(1)
        with Counted() as counted:
            stack(x).square().sum().backward()
        times[keep] = counted.times[attention], counted.times[linear]
        grads[keep] = [parameter.grad.clone() for parameter in stack.parameters()]
    assert times[None] == (2, 8)
    assert times[()][0] == 4 and times[()][1] > 8
    assert times["attention",] == (2, times[()][1])
    assert times["attention", "linear"] == (2, 8)
    for found in grads.values():
        assert all(torch.equal(a, b) for a, b in zip(found, grads[None]))
