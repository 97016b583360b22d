"""FrozenLinear: the types that hold its weight, what int8 costs in accuracy, and what stays between the passes."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.models.layers.frozen_linear import FrozenLinear, quantise, unpacked

BYTES = {"fp32": 4, "bf16": 2, "int8": 1}


def make(storage, inputs=70, outputs=150, seed=0):
    torch.manual_seed(seed)
    return FrozenLinear(inputs, outputs, storage=storage)


def held_bytes(module):
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


@pytest.mark.parametrize("storage", BYTES)
def test_bytes_held_and_nothing_trained(storage):
    layer = make(storage, 256, 128)
    scales = 128 * 256 / 16 * 2 if storage == "int8" else 0
    assert held_bytes(layer) == 256 * 128 * BYTES[storage] + scales
    assert not any(parameter.requires_grad for parameter in layer.parameters())
    assert set(layer.state_dict()) == ({"weight", "scale"} if storage == "int8" else {"weight"})


@pytest.mark.parametrize("inputs", [64, 70, 5])
def test_int8_by_hand(inputs):
    """Each of 16 neighbours is a whole number of steps, the nearest one, and no step is finer than it may be."""
    torch.manual_seed(1)
    weight = torch.randn(3, inputs) * torch.tensor([1.0, 1e-4, 1e3])[:, None]
    packed, scale = quantise(weight)
    assert (packed.dtype, scale.dtype) == (torch.int8, torch.bfloat16)
    back = unpacked(packed, scale, torch.float32)
    for row in range(3):
        for column in range(inputs):
            step = scale[row, column // 16].float()
            assert back[row, column] == packed[row, column] * step
            assert (back[row, column] - weight[row, column]).abs() <= 0.5001 * step
            assert step * 127.6 >= weight[row, column].abs()


def test_the_best_of_several_scales_is_taken():
    torch.manual_seed(2)
    weight = torch.randn(64, 512)
    errors = {
        number: (unpacked(*quantise(weight, num_scales=number), torch.float32) - weight).square().mean().sqrt().item()
        for number in (1, 8)
    }
    assert errors[1] == pytest.approx(0.0052, rel=0.05) and errors[8] == pytest.approx(0.0041, rel=0.05)


def test_zeros_and_outliers():
    weight = torch.zeros(2, 40)
    weight[1, 3] = -7.0
    back = unpacked(*quantise(weight), torch.float32)
    assert torch.equal(back[0], weight[0]) and back[1, 3] == pytest.approx(-7.0, rel=0.01)
    assert back.count_nonzero() == 1


@pytest.mark.parametrize("storage, error", [("fp32", 0), ("bf16", 0.003), ("int8", 0.006)])
def test_values_and_the_gradient_of_the_input(storage, error):
    layer, exact = make(storage, 256, 384), make("fp32", 256, 384)
    x = torch.randn(2, 3, 256, requires_grad=True)
    out = layer(x)
    expected = F.linear(x, exact.weight)
    assert (out - expected).norm() <= error * expected.norm()
    cotangent = torch.randn_like(out)
    (gradient,) = torch.autograd.grad(out, x, cotangent)
    expected = cotangent @ unpacked(layer.weight, layer.scale, torch.float32)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("storage", BYTES)
def test_only_the_weight_as_held_stays_for_the_backward_pass(storage):
    layer = make(storage)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layer(torch.randn(4, 70, requires_grad=True))
    own = [parameter.data_ptr() for parameter in layer.parameters()]
    assert kept and all(tensor.data_ptr() in own for tensor in kept)


@pytest.mark.parametrize("storage", BYTES)
def test_under_autocast(storage):
    layer = make(storage)
    x = torch.randn(4, 70, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), layer(x), rtol=0.05, atol=0.02)
    out.float().sum().backward()
    assert x.grad.dtype == torch.float32


def test_rows_can_be_filled_in_parts():
    whole, parts = make("int8"), make("int8")
    weight = torch.randn(150, 70)
    whole.fill(0, weight)
    for first in range(0, 150, 40):
        parts.fill(first, weight[first : first + 40].half().float() if first == 0 else weight[first : first + 40])
    assert torch.equal(whole.weight[40:], parts.weight[40:]) and torch.equal(whole.scale[40:], parts.scale[40:])


def test_a_weight_whose_gradient_is_asked_for_gets_it():
    """Golden cases hold gradients of frozen weights."""
    layer = make("fp32").requires_grad_(True)
    layer(torch.ones(2, 70)).sum().backward()
    torch.testing.assert_close(layer.weight.grad, torch.full((150, 70), 2.0))
