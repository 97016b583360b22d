"""Loss, scores and counts of verb and noun by hand; merged views against the released evaluation's golden case."""

import math

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.evaluation.verb_noun import HITS
from slowfast.tasks import build_task
from slowfast.tasks.verb_noun import VerbNoun
from slowfast.utils.errors import ConfigError

LOG3 = math.log(3.0)
LOGITS = torch.tensor([[LOG3, 0.0, 0.0, 0.0, LOG3], [0.0, LOG3, LOG3, 0.0, 0.0]])  # 2 verbs, 3 nouns
LABELS = torch.tensor([[0, 2], [0, 0]])


def test_loss_is_the_sum_of_both_heads():
    loss, counts = VerbNoun((2, 3)).loss(lambda frames: LOGITS, None, LABELS)
    verb = -(math.log(3 / 4) + math.log(1 / 4)) / 2
    noun = -(math.log(3 / 5) + math.log(3 / 5)) / 2
    assert loss.item() == pytest.approx(verb + noun)
    assert set(counts) == set(VerbNoun.counts) == set(HITS)
    assert {name: int(count) for name, count in counts.items()} == {
        **{"verb_top1": 1, "noun_top1": 2, "action_top1": 1},
        **{"verb_top5": 2, "noun_top5": 2, "action_top5": 2, "action_top5_joint": 2},
    }


def test_scores_are_probabilities_of_each_head_or_raw():
    scores = VerbNoun((2, 3)).predict(lambda frames: LOGITS, None)
    assert scores[0].tolist() == pytest.approx([3 / 4, 1 / 4, 1 / 5, 1 / 5, 3 / 5])
    assert torch.equal(VerbNoun((2, 3), scores="logits").predict(lambda frames: LOGITS, None), LOGITS)


def test_the_task_of_a_configuration():
    cfg = get_cfg()
    cfg.TRAIN.DATASET = "epic_kitchens"
    with pytest.raises(ConfigError, match=r"MODEL.HEAD_CLASSES: got \[\], expected .* MODEL.NUM_CLASSES 400"):
        build_task(cfg)
    cfg.MODEL.HEAD_CLASSES = [97, 300]
    with pytest.raises(ConfigError, match=r"got \[97, 300\]"):
        build_task(cfg)
    cfg.MODEL.NUM_CLASSES = 397
    assert build_task(cfg).head_classes == (97, 300)


def test_mixed_labels():
    """Each head over its own classes; the larger share of verb and of noun is what counts as right."""
    task = VerbNoun((2, 3))
    soft = task.soft_labels(LABELS, 0.2)
    assert soft[0].tolist() == pytest.approx([0.9, 0.1, 0.2 / 3, 0.2 / 3, 0.8 + 0.2 / 3])
    mixed = 0.75 * task.soft_labels(LABELS, 0.0) + 0.25 * task.soft_labels(LABELS.flip(0), 0.0)
    loss, counts = task.loss(lambda frames: LOGITS, None, mixed)
    parts = [task.loss(lambda frames: LOGITS, None, labels) for labels in (LABELS, LABELS.flip(0))]
    assert loss.item() == pytest.approx(0.75 * parts[0][0].item() + 0.25 * parts[1][0].item())
    assert counts == parts[0][1]
