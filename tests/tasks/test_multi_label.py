"""Several labels a clip: the loss by hand, mean average precision against PySlowFast's numbers, results of a test."""

import json
import math

import numpy as np
import pytest
import torch

from slowfast.evaluation.metrics import average_precision, mean_average_precision
from slowfast.tasks.multi_label import MultiLabel


def test_average_precision_is_the_sources(reference_dir):
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["multilabel_map"]["cases"]
    for case in cases:
        precisions = average_precision(case["preds"], case["labels"])
        assert np.flatnonzero(~np.isnan(precisions)).tolist() == case["classes_kept"]
        assert precisions[case["classes_kept"]] == pytest.approx(case["ap_per_kept_class"], abs=1e-12)
        assert mean_average_precision(case["preds"], case["labels"]) == pytest.approx(100 * case["map"], abs=1e-9)
    assert math.isnan(mean_average_precision([[0.5]], [[0]]))


def test_loss_and_scores():
    """Mean over clips and classes of log(1 + exp(-logit)) where the label is 1, log(1 + exp(logit)) where it is 0."""
    logits, labels = torch.tensor([[0.0, 2.0, -1.0], [1.0, -3.0, 0.5]]), torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    signs = [-1, 1, 1, 1, 1, -1]
    by_hand = sum(math.log1p(math.exp(sign * x)) for sign, x in zip(signs, logits.flatten().tolist())) / 6
    loss, counts = MultiLabel().loss(lambda frames: logits, None, labels)
    assert loss.item() == pytest.approx(by_hand, rel=1e-6) and counts == {}
    assert torch.equal(MultiLabel(scores="logits").predict(lambda frames: logits, None), logits)
    assert MultiLabel().predict(lambda frames: logits, None)[0, 0] == 0.5
