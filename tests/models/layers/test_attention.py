"""Attention: the fused kernel, its explicit twin and torch's own multi-head attention agree."""

import pytest
import torch
from torch import nn

from slowfast.models.layers.attention import FEW_KEYS, Attention, explicit_attention, set_attention
from slowfast.models.layers.time_shift import TimeShift

B, N, D, H = 3, FEW_KEYS + 3, 12, 4


def make(seed=0, **options):
    torch.manual_seed(seed)
    return Attention(D, H, **options)


def run(layer, x, cotangent):
    x = x.clone().requires_grad_()
    out = layer(x)
    gradients = torch.autograd.grad((out * cotangent).sum(), [x, *layer.parameters()])
    return [out.detach(), *gradients]


@pytest.fixture
def tensors():
    torch.manual_seed(1)
    return torch.randn(B, N, D), torch.randn(B, N, D)


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_the_explicit_twin_gives_the_same_outputs_and_gradients(tensors, qkv_bias):
    fused, explicit = make(qkv_bias=qkv_bias), make(qkv_bias=qkv_bias)
    set_attention(explicit, "explicit")
    for a, b in zip(run(fused, *tensors), run(explicit, *tensors), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_it_equals_torchs_multi_head_attention(tensors):
    layer, reference = make(), nn.MultiheadAttention(D, H, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": layer.qkv.weight,
            "in_proj_bias": layer.qkv.bias,
            "out_proj.weight": layer.proj.weight,
            "out_proj.bias": layer.proj.bias,
        }
    )
    x = tensors[0]
    torch.testing.assert_close(layer(x), reference(x, x, x, need_weights=False)[0], rtol=1e-5, atol=1e-6)


def test_without_a_key_bias_it_equals_a_joint_bias_that_is_zero_for_keys(tensors):
    layer, reference = make(key_bias=False), make()
    assert set(layer.state_dict()) == {"q_bias", "v_bias", "qkv.weight", "proj.weight", "proj.bias"}
    nn.init.normal_(layer.q_bias)
    nn.init.normal_(layer.v_bias)
    state = layer.state_dict()
    joint = torch.cat([state.pop("q_bias"), torch.zeros(D), state.pop("v_bias")])
    reference.load_state_dict(state | {"qkv.bias": joint})
    out, grad_x, *grads = run(layer, *tensors)
    expected, expected_grad_x, *expected_grads = run(reference, *tensors)
    torch.testing.assert_close((out, grad_x), (expected, expected_grad_x), rtol=1e-5, atol=1e-6)
    grads = dict(zip(dict(layer.named_parameters()), grads, strict=True))
    queries, _, values = dict(zip(dict(reference.named_parameters()), expected_grads))["qkv.bias"].chunk(3)
    torch.testing.assert_close((grads["q_bias"], grads["v_bias"]), (queries, values), rtol=1e-5, atol=1e-6)
    assert make(key_bias=False, qkv_bias=False).q_bias is None


def test_keys_and_values_are_mixed_and_queries_are_not(tensors):
    class Halve(nn.Module):
        def forward(self, x):
            return x / 2

    x = tensors[0]
    mixed, by_weight = make(mix_keys_values=Halve()), make()
    with torch.no_grad():
        by_weight.qkv.weight[D:] /= 2
        by_weight.qkv.bias[D:] /= 2
    torch.testing.assert_close(mixed(x), by_weight(x))


def kept_for_backward(layer, x):
    """Bytes of activations that the forward pass leaves behind, each storage once."""
    parameters = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        layer(x)
    return sum(t.untyped_storage().nbytes() for address, t in kept.items() if address not in parameters)


def test_mixing_keeps_no_more_for_the_backward_pass(tensors):
    x = tensors[0].repeat(2, 1, 1)
    assert kept_for_backward(make(mix_keys_values=TimeShift(3, 4)), x) == kept_for_backward(make(), x)


@pytest.mark.parametrize("implementation", ["sdpa", "explicit"])
@pytest.mark.parametrize("where", ["attention_dropout", "dropout"])
def test_drop_out_acts_in_training_only(tensors, implementation, where):
    x, plain = tensors[0], make()
    layer = make(**{where: 0.5})
    set_attention(layer, implementation)
    assert not torch.allclose(layer(x), plain(x))
    torch.testing.assert_close(layer.eval()(x), plain(x), rtol=1e-5, atol=1e-6)


def test_attention_drop_out_keeps_the_mean():
    torch.manual_seed(0)
    ones = torch.ones(1, 1, 200, 50)
    out = explicit_attention(ones, ones, ones, dropout_p=0.5)  # each row: the sum of its kept weights
    assert out.std() > 0
    assert out.mean().item() == pytest.approx(1.0, abs=0.02)


def test_a_choice_that_cannot_be_made_is_an_error():
    with pytest.raises(ValueError, match="known: sdpa, explicit"):
        set_attention(make(), "flash")
    with pytest.raises(ValueError, match="no AttentionLayer"):
        set_attention(nn.Linear(2, 2), "explicit")
