"""Losses against the public recipes' values."""

import json

import pytest
import torch

from slowfast.solver.losses import build_loss
from slowfast.utils.errors import ConfigError


@pytest.fixture
def cases(reference_dir):
    return json.loads((reference_dir / "parity/loss_targets_a.json").read_text())["targets"]


def test_soft_targets(cases):
    for case in cases:
        logits = torch.tensor(case["logits"], requires_grad=True)
        loss = build_loss("soft_cross_entropy")(logits, torch.tensor(case["mixed_target"]))
        loss.backward()
        assert loss.item() == pytest.approx(case["soft_target_cross_entropy"], rel=1e-6)
        torch.testing.assert_close(logits.grad, torch.tensor(case["gradient_of_logits"]), rtol=1e-4, atol=1e-6)


def test_smoothing_of_xvit(cases):
    for case in cases:
        loss = build_loss("smooth_cross_entropy", smoothing=case["xvit_smoothing"])
        got = loss(torch.tensor(case["logits"]), torch.tensor(case["labels"]))
        assert got.item() == pytest.approx(case["xvit_label_smoothing_cross_entropy"], rel=1e-6)


def test_smoothing_of_videomae(cases):
    """Its unmixed targets (lam 1) are ordinary smoothing."""
    case = next(case for case in cases if case["lam"] == 1.0)
    loss = build_loss("smooth_cross_entropy", smoothing=case["smoothing"])
    got = loss(torch.tensor(case["logits"]), torch.tensor(case["labels"]))
    assert got.item() == pytest.approx(case["soft_target_cross_entropy"], rel=1e-6)


def test_only_the_smooth_loss_smooths():
    logits, labels = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0])
    plain = -torch.log_softmax(logits, dim=1)[0, 0].item()
    for name in ("cross_entropy", "soft_cross_entropy"):
        assert build_loss(name, smoothing=0.3)(logits, labels).item() == pytest.approx(plain)


def test_unknown_name():
    with pytest.raises(ConfigError, match=r"MODEL.LOSS_FUNC: 'bce' is not one of cross_entropy"):
        build_loss("bce")
