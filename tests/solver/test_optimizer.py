"""Optimizers: built by name, driven by group, restored; gradients clipped. Expected values by hand."""

import copy

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.solver.optimizer import build_optimizer, clip_gradients, load_optimizer_state, set_lr


class Net(nn.Module):
    num_layers = 1

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.last = nn.Linear(3, 5)

    def layer_of(self, name):
        return 1 if name.startswith("first") else 2

    def forward(self, x):
        return self.last(self.first(x))


def make(**solver):
    """(model, optimizer) after SOLVER.* keys were set."""
    cfg = get_cfg()
    for key, value in solver.items():
        cfg.SOLVER[key] = value
    torch.manual_seed(0)
    model = Net()
    return model, build_optimizer(model, cfg, 0.25)


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(4, 2)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("method, kind", [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_optimizer_by_name(method, kind):
    _, optimizer = make(OPTIMIZING_METHOD=method)
    assert type(optimizer).__name__ == kind
    set_lr(optimizer, 0.125)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}


def test_settings_reach_the_optimizer():
    _, adamw = make(OPTIMIZING_METHOD="adamw", BETAS=(0.9, 0.98), EPS=1e-6, WEIGHT_DECAY=0.05)
    assert (adamw.defaults["betas"], adamw.defaults["eps"]) == ((0.9, 0.98), 1e-6)
    _, sgd = make(MOMENTUM=0.8, NESTEROV=False, DAMPENING=0.1)
    assert [sgd.defaults[key] for key in ("momentum", "nesterov", "dampening")] == [0.8, False, 0.1]


def test_each_group_has_its_share_of_the_rate():
    _, optimizer = make(LAYER_DECAY=0.5)
    set_lr(optimizer, 0.2)
    assert {group["names"][0]: group["lr"] for group in optimizer.param_groups} == {
        "first.weight": 0.1,
        "last.weight": 0.2,
    }


def test_state_comes_from_the_checkpoint_settings_from_the_configuration():
    """The same step follows as if there had been no interruption; a new weight decay counts from then on."""
    model, optimizer = make(OPTIMIZING_METHOD="adamw", WEIGHT_DECAY=0.1)
    step(model, optimizer)
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    step(model, optimizer)
    again, fresh = make(OPTIMIZING_METHOD="adamw", WEIGHT_DECAY=0.1)
    again.load_state_dict(weights)
    load_optimizer_state(fresh, state)
    step(again, fresh)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters()))

    _, changed = make(OPTIMIZING_METHOD="adamw", WEIGHT_DECAY=0.3)
    load_optimizer_state(changed, state)
    assert [group["weight_decay"] for group in changed.param_groups] == [0.3]
    assert len(changed.state) == 4


def test_state_of_other_groups_is_refused():
    _, optimizer = make(LAYER_DECAY=0.5)
    _, other = make()
    with pytest.raises(ValueError, match=r"SOLVER.LAYER_DECAY"):
        load_optimizer_state(other, optimizer.state_dict())


def _with_gradients():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([-4.0])
    return parameters


def test_norm_is_measured_before_clipping():
    parameters = _with_gradients()
    assert clip_gradients(parameters, max_norm=1.0)[0].item() == pytest.approx(5.0)
    assert parameters[0].grad.tolist() == pytest.approx([0.6, 0.0], abs=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([-0.8], abs=1e-5)


def test_clip_by_value_has_precedence():
    parameters = _with_gradients()
    assert clip_gradients(parameters, max_value=2.0, max_norm=1.0)[0].item() == pytest.approx(5.0)
    assert (parameters[0].grad.tolist(), parameters[1].grad.tolist()) == ([2.0, 0.0], [-2.0])


def test_without_limits_gradients_stay():
    parameters = _with_gradients()
    assert clip_gradients(parameters)[0].item() == pytest.approx(5.0)
    assert parameters[1].grad.tolist() == [-4.0]
