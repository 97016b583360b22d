"""The moving average of weights, by hand."""

import pytest
import torch
from torch import nn

from slowfast.solver.ema import MovingAverage


def make():
    """BatchNorm has parameters, float buffers and an integer buffer; the linear layer is frozen."""
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2).requires_grad_(False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, 2.0, 4.0]))
    return model


def test_formula():
    model = make()
    average = MovingAverage(model, 0.75)
    expected = model[0].weight.detach().clone()
    for step in range(1, 4):
        with torch.no_grad():
            model[0].weight += step
        model[0].running_mean += 1.0
        model[0].num_batches_tracked += 1
        average.update(model)
        expected = 0.75 * expected + 0.25 * model[0].weight.detach()
    state = average.state_dict()
    torch.testing.assert_close(state["0.weight"], expected)
    assert state["0.running_mean"].tolist() == pytest.approx([0.25 * 3 + 0.1875 * 2 + 0.140625] * 3)
    assert state["0.num_batches_tracked"] == 3


def test_frozen_parameters_have_no_second_copy():
    assert set(MovingAverage(make(), 0.9).state_dict()) == {
        *("0.weight", "0.bias", "0.running_mean", "0.running_var", "0.num_batches_tracked"),
    }


def test_applied_and_back():
    model = make()
    average = MovingAverage(model, 0.5)
    with torch.no_grad():
        model[0].weight.add_(0.1)
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(RuntimeError), average.applied(model):
        assert model[0].weight.tolist() == [1.0, 2.0, 4.0]
        raise RuntimeError
    assert all(torch.equal(own[name], tensor) for name, tensor in model.state_dict().items())


def test_restored_average_goes_on_exactly():
    model = make()
    average = MovingAverage(model, 0.9)
    with torch.no_grad():
        model[0].weight.mul_(1.7)
    average.update(model)
    other = MovingAverage(make(), 0.9)
    other.load_state_dict(average.state_dict())
    for each in (average, other):
        each.update(model)
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in average.state_dict().items())


def test_state_of_other_parameters_is_refused():
    average = MovingAverage(make(), 0.9)
    with pytest.raises(ValueError, match="other parameters than are trained now"):
        average.load_state_dict(MovingAverage(make().requires_grad_(True), 0.9).state_dict())


def test_restart():
    model = make()
    average = MovingAverage(model, 0.9)
    with torch.no_grad():
        model[0].weight.zero_()
    average.restart(model)
    assert average.state_dict()["0.weight"].tolist() == [0.0] * 3
