"""Loading a state dict: what fits is copied, and every other entry is told."""

import pytest
import torch
from torch import nn

from slowfast.weights import load_weights


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def filled(model, value=0.5):
    return {name: torch.full_like(tensor, value) for name, tensor in model.state_dict().items()}


def test_all_entries_fit(model):
    report = load_weights(model, filled(model, 2))
    assert report.complete
    assert report.matched == list(model.state_dict())
    assert all((tensor == 2).all() for tensor in model.state_dict().values())
    assert str(report) == "9 of 9 entries loaded (43 of 43 values); nothing dropped, missing or unexpected"


def test_what_does_not_fit_is_told_and_left_alone(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = filled(model, 2)
    state["2.weight"] = torch.zeros(5, 4)
    del state["0.bias"]
    state["head.weight"] = torch.zeros(1)
    report = load_weights(model, state)
    assert not report.complete
    assert report.dropped == [("2.weight", (5, 4), (2, 4))]
    assert report.missing == ["0.bias"]
    assert report.unexpected == ["head.weight"]
    assert len(report.matched) == 7
    assert (report.num_values, report.num_values_in_model) == (43 - 8 - 4, 43)
    after = model.state_dict()
    for name in ("2.weight", "0.bias"):
        assert torch.equal(after[name], before[name])
    assert (after["0.weight"] == 2).all()
    assert str(report) == (
        "7 of 9 entries loaded (31 of 43 values); 1 dropped for their shape: 2.weight (file 5x4, model 2x4); "
        "1 missing in the file: 0.bias; 1 unexpected in the file: head.weight"
    )


def test_a_missing_dimension_is_a_different_shape(model):
    report = load_weights(model, filled(model) | {"2.bias": torch.zeros(2, 1)})
    assert [name for name, *_ in report.dropped] == ["2.bias"]


def test_values_are_cast_to_the_models_type(model):
    assert load_weights(model, {name: tensor.half() for name, tensor in filled(model).items()}).complete
    assert model[0].weight.dtype == torch.float32
    assert (model[0].weight == 0.5).all()


def test_long_lists_are_counted():
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    assert str(load_weights(model, {})).endswith("20 missing in the file: " + NAMES + " and 14 more")


NAMES = "0.weight, 0.bias, 1.weight, 1.bias, 2.weight, 2.bias"
