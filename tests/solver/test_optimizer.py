"""Optimizers: built by name, driven by group, restored; gradients clipped. Expected values by hand."""

import copy
import sys

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.solver.optimizer import build_optimizer, clip_gradients, load_optimizer_state, set_lr
from slowfast.utils.errors import UserError


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


class Wide(nn.Module):
    """Weights enough for 8-bit states: bitsandbytes leaves tensors of less than 4,096 numbers at 32 bits."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 64))

    def forward(self, x):
        return self.layers(x)


def make_wide(bits):
    cfg = get_cfg()
    cfg.SOLVER.OPTIMIZING_METHOD, cfg.SOLVER.STATE_BITS = "adamw", bits
    torch.manual_seed(0)
    model = Wide()
    return model, build_optimizer(model, cfg, 1e-3)


def losses_of(model, optimizer, steps):
    x, y = torch.randn(2, 32, 64, generator=torch.Generator().manual_seed(1))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def state_bytes(optimizer):
    tensors = [x for state in optimizer.state.values() for x in state.values() if torch.is_tensor(x) and x.ndim > 1]
    return sum(x.nbytes for x in tensors)


def test_eight_bit_states_are_small_and_learn_alike():
    pytest.importorskip("bitsandbytes")
    (plain, with_32), (small, with_8) = make_wide(32), make_wide(8)
    expected, actual = losses_of(plain, with_32, 30), losses_of(small, with_8, 30)
    assert actual == pytest.approx(expected, rel=0.02) and actual[-1] < 0.8 * actual[0]
    assert state_bytes(with_8) == state_bytes(with_32) / 4


def test_eight_bit_states_go_on_from_a_checkpoint(tmp_path):
    pytest.importorskip("bitsandbytes")
    model, optimizer = make_wide(8)
    losses_of(model, optimizer, 5)
    torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / "state.pth")
    expected = losses_of(model, optimizer, 5)
    other, resumed = make_wide(8)
    weights, state = torch.load(tmp_path / "state.pth", weights_only=True)
    other.load_state_dict(weights)
    load_optimizer_state(resumed, state)
    assert losses_of(other, resumed, 5) == expected
    assert torch.equal(other.layers[0].weight, model.layers[0].weight)


def test_eight_bit_states_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(UserError, match="pip install bitsandbytes"):
        make_wide(8)
