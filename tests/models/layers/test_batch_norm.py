"""Statistics of parts of a batch, against nn.BatchNorm3d on the parts alone."""

import pytest
import torch
from torch import nn

from slowfast.models.layers.batch_norm import SubBatchNorm, has_batch_norm, split_batch_statistics


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(12, 5, 2, 3, 4) * torch.arange(1.0, 13).view(12, 1, 1, 1, 1)  # parts differ in scale


def plain(seed=1):
    torch.manual_seed(seed)
    layer = nn.BatchNorm3d(5, momentum=0.3, eps=1e-3)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    nn.init.normal_(layer.running_mean)
    nn.init.uniform_(layer.running_var, 1, 2)
    return layer


@pytest.mark.parametrize(("num_splits", "parts"), [(1, 1), (3, 3), (12, 12), (5, 4), (40, 12)])
def test_training_normalises_parts_by_themselves(x, num_splits, parts):
    layer = split_batch_statistics(nn.Sequential(plain()), num_splits)[0]
    out = layer(x)
    expected, means, variances = torch.empty_like(x), [], []
    for part in range(parts):
        alone = plain()
        alone.momentum = 1.0
        expected[part::parts] = alone(x[part::parts])
        means.append(alone.running_mean)
        variances.append(alone.running_var)
    torch.testing.assert_close(out, expected)
    means, variances = torch.stack(means), torch.stack(variances)
    mean, variance = means.mean(0), variances.mean(0) + (means - means.mean(0)).square().mean(0)
    torch.testing.assert_close(layer.running_mean, 0.7 * plain().running_mean + 0.3 * mean)
    torch.testing.assert_close(layer.running_var, 0.7 * plain().running_var + 0.3 * variance)
    assert layer.num_batches_tracked == 1


def test_gradients_are_those_of_the_parts(x):
    layer, alone = split_batch_statistics(nn.Sequential(plain()), 2)[0], plain()
    weights = torch.randn_like(x)
    (layer(x) * weights).sum().backward()
    sum((alone(x[part::2]) * weights[part::2]).sum() for part in range(2)).backward()
    torch.testing.assert_close(layer.weight.grad, alone.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(layer.bias.grad, alone.bias.grad, rtol=1e-4, atol=1e-4)


def test_evaluation_takes_running_statistics(x):
    layer = split_batch_statistics(nn.Sequential(plain()), 3).eval()
    torch.testing.assert_close(layer(x), plain().eval()(x))
    assert layer[0].num_batches_tracked == 0


def test_parameters_buffers_and_names_stay(x):
    model = nn.Sequential(nn.Conv3d(5, 5, 1), nn.Sequential(plain()), nn.BatchNorm1d(3, affine=False))
    before = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    assert split_batch_statistics(model, 4) is model and isinstance(model[1][0], SubBatchNorm)
    layer = model[1][0]
    assert split_batch_statistics(model, 2)[1][0] is layer and layer.num_splits == 2
    after = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    assert before.keys() == after.keys() and all(before[name] is after[name] for name in before)
    assert "num_splits=2" in repr(model)
    assert model[2](torch.randn(4, 3)).shape == (4, 3)  # without weights


def test_shared_statistics_and_back():
    layer = plain()
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(layer))
    assert isinstance(split_batch_statistics(shared, 1)[0], SubBatchNorm)
    assert shared[0].weight is layer.weight and shared[0].running_var is layer.running_var


def test_plain_layers_stay_what_they_are():
    model = nn.Sequential(plain())
    assert type(split_batch_statistics(model, 1)[0]) is nn.BatchNorm3d
    assert has_batch_norm(model) and not has_batch_norm(nn.Linear(2, 2))
