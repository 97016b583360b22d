"""Parameter and multiply-addition counts against fvcore's counter, which traces the real operations."""

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.attention import Attention, set_attention


def fvcore_gmacs(model, shape):
    return FlopCountAnalysis(model.eval(), torch.zeros(shape)).unsupported_ops_warnings(False).total() / 1e9


@pytest.mark.parametrize(
    "layers, shape",
    [
        ([nn.Linear(7, 5), nn.LayerNorm(5), nn.LayerNorm(5, elementwise_affine=False)], (2, 3, 7)),
        ([nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.BatchNorm2d(8, affine=False)], (2, 3, 9, 11)),
        ([nn.Conv3d(3, 8, 3), nn.GroupNorm(4, 8), nn.InstanceNorm3d(8, affine=True)], (1, 3, 4, 5, 6)),
        ([nn.Conv3d(4, 8, (1, 3, 3), groups=4, bias=False), nn.BatchNorm3d(8)], (2, 4, 3, 5, 6)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_layers_count_as_in_fvcore(layers, shape):
    model = nn.Sequential(*layers)
    assert gmacs(model, shape) == pytest.approx(fvcore_gmacs(model, shape), rel=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_fused_attention_counts_as_its_matrix_products():
    layer, shape = Attention(12, 3), (2, 5, 12)
    fused = gmacs(layer, shape)
    set_attention(layer, "explicit")
    assert fused == gmacs(layer, shape) == pytest.approx(fvcore_gmacs(layer, shape), rel=1e-12)
    assert fused * 1e9 == 2 * (5 * 12 * 36 + 2 * 5 * 5 * 12 + 5 * 12 * 12)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gmacs(model, (2, 3, 8, 8))
    assert model.training and model[1].training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_frozen_parameters_are_counted_apart():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    assert count_parameters(model) == (16 + 10, 10)
