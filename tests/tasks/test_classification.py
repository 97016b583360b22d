"""Loss, scores and counts by hand."""

import math

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.tasks import TASK_REGISTRY, build_task
from slowfast.tasks.classification import Classification
from slowfast.utils.errors import ConfigError

LOGITS = torch.tensor([[0.0, math.log(3.0), 0.0], [0.0, 0.0, math.log(2.0)]])  # softmax: 1/5 3/5 1/5 and 1/4 1/4 1/2


def _model(frames):
    return LOGITS


def test_loss_and_counts():
    loss, counts = Classification(3).loss(_model, None, torch.tensor([1, 0]))
    assert loss.item() == pytest.approx(-(math.log(3 / 5) + math.log(1 / 4)) / 2)
    assert {name: float(count) for name, count in counts.items()} == {"top1": 1.0, "top5": 2.0}
    assert set(counts) == set(Classification.counts)


def test_scores_are_probabilities_or_raw():
    probabilities = Classification(3).predict(_model, None)
    assert probabilities.tolist()[1] == pytest.approx([0.25, 0.25, 0.5])
    assert Classification(3, scores="logits").predict(_model, None).tolist() == LOGITS.tolist()


def test_unknown_loss_lists_the_known():
    with pytest.raises(ConfigError, match=r"MODEL.LOSS_FUNC: 'hinge' is not one of cross_entropy"):
        Classification(3, loss="hinge")


def test_task_of_a_configuration():
    cfg = get_cfg()
    assert isinstance(build_task(cfg), Classification)
    cfg.TASK = "clasification"
    with pytest.raises(ConfigError, match=f"TASK.*Did you mean 'classification'.*{TASK_REGISTRY.names()[0]}"):
        build_task(cfg)


def test_soft_labels_and_their_loss():
    """Smoothing 0.3 over 3 classes: 0.8 and 0.1; the loss of a mixture is the mixture of the losses."""
    task, labels = Classification(3), torch.tensor([1, 0])
    soft = task.soft_labels(labels, 0.3)
    assert soft[0].tolist() == pytest.approx([0.1, 0.8, 0.1]) and soft.dtype == torch.float32
    mixed = 0.7 * task.soft_labels(labels, 0.0) + 0.3 * task.soft_labels(labels.flip(0), 0.0)
    parts = [task.loss(_model, None, part)[0].item() for part in (labels, labels.flip(0))]
    assert task.loss(_model, None, mixed)[0].item() == pytest.approx(0.7 * parts[0] + 0.3 * parts[1])


def test_counts_of_mixed_clips():
    """Probabilities 1/5 3/5 1/5 and 1/4 1/4 1/2: together 1/5 + 1/5 and 1/4 + 1/2 for the larger share's class."""
    task = Classification(3)
    shares = torch.tensor([[0.6, 0.0, 0.4], [0.7, 0.0, 0.3]])
    assert task.count_correct(LOGITS, shares)["top1"] == 1
    unmixed = task.soft_labels(torch.tensor([1, 0]), 0.1)
    assert task.count_correct(LOGITS, unmixed)["top1"] == task.count_correct(LOGITS, torch.tensor([1, 0]))["top1"] == 1
