"""Parameter groups by hand on a small net with every kind of parameter."""

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.solver.optimizer import build_optimizer, clip_gradients, parameter_groups, set_lr


class Net(nn.Module):
    def __init__(self, exempt=("positions",)):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 5, 3))
        self.conv = nn.Conv3d(3, 4, 2)
        self.bn = nn.BatchNorm3d(4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Linear(4, 7)
        self.frozen.requires_grad_(False)
        self.exempt = exempt

    def no_weight_decay(self):
        return set(self.exempt)


def _groups(**kwargs):
    groups = parameter_groups(Net(), weight_decay=0.05, **kwargs)
    return [(group["weight_decay"], group["names"]) for group in groups]


def test_batch_norm_ordinary_and_exempt():
    assert _groups(batch_norm_decay=0.01) == [
        (0.01, ["bn.weight", "bn.bias"]),
        (0.05, ["conv.weight", "conv.bias", "norm.weight", "norm.bias"]),
        (0.0, ["positions"]),
    ]


def test_no_decay_of_1d_parameters():
    assert _groups(no_decay_1d=True)[1:] == [
        (0.05, ["conv.weight"]),
        (0.0, ["positions", "conv.bias", "norm.weight", "norm.bias"]),
    ]


def test_exempt_name_must_exist():
    with pytest.raises(ValueError, match="positoins"):
        parameter_groups(Net(exempt=("positoins",)), weight_decay=0.05)


def test_nothing_to_train():
    with pytest.raises(ValueError, match="no trainable"):
        parameter_groups(nn.Linear(2, 3).requires_grad_(False), weight_decay=0.0)


@pytest.mark.parametrize("method, kind", [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_optimizer_by_name(method, kind):
    cfg = get_cfg()
    cfg.SOLVER.OPTIMIZING_METHOD = method
    optimizer = build_optimizer(Net(), cfg, 0.25)
    assert type(optimizer).__name__ == kind
    set_lr(optimizer, 0.125)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}


def _with_gradients():
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(3))]
    parameters[0].grad, parameters[1].grad = torch.tensor([3.0, 0.0]), torch.tensor([-4.0])
    return parameters


def test_norm_is_measured_before_clipping():
    parameters = _with_gradients()
    assert clip_gradients(parameters, max_norm=1.0).item() == pytest.approx(5.0)
    assert parameters[0].grad.tolist() == pytest.approx([0.6, 0.0], abs=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([-0.8], abs=1e-5)


def test_clip_by_value_has_precedence():
    parameters = _with_gradients()
    assert clip_gradients(parameters, max_value=2.0, max_norm=1.0).item() == pytest.approx(5.0)
    assert (parameters[0].grad.tolist(), parameters[1].grad.tolist()) == ([2.0, 0.0], [-2.0])


def test_without_limits_gradients_stay():
    parameters = _with_gradients()
    assert clip_gradients(parameters).item() == pytest.approx(5.0)
    assert parameters[1].grad.tolist() == [-4.0]
