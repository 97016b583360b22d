"""Hits of verb, noun and action: by hand, against numpy's sorting, and the released evaluation's golden case."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from slowfast.evaluation.ensemble import ViewEnsemble
from slowfast.evaluation.verb_noun import accuracies, submission, summarise, verb_noun_hits
from slowfast.tasks.verb_noun import VerbNoun


@pytest.fixture
def merged(reference_dir):
    """(tensors, summary, scores summed over the views, labels) of the golden case."""
    path = reference_dir / "parity" / "cast_epic_merge_a.json"
    tensors = load_file(path.with_suffix(".safetensors"))
    logits = torch.cat([tensors["input/verb_scores"], tensors["input/noun_scores"]], dim=2)  # (V, views, 9 + 20)
    ensemble = ViewEnsemble(12, 6, 29)
    for view in (5, 0, 3, 1, 2, 4):
        ensemble.add(torch.arange(12), torch.full((12,), view), VerbNoun((9, 20)).predict(lambda x: x, logits[:, view]))
    labels = torch.stack([tensors["input/verb_labels"], tensors["input/noun_labels"]], dim=1)
    return tensors, json.loads(path.read_text())["summary_percent"], ensemble.finalize().scores, labels


def test_golden_merge(merged):
    tensors, summary, scores, labels = merged
    hits = verb_noun_hits(scores, labels, (9, 20), probabilities=True)
    for name in ("verb_top1", "verb_top5", "noun_top1", "noun_top5", "action_top1", "action_top5"):
        assert hits[name].tolist() == tensors[f"output/{name}"].bool().tolist(), name
        assert accuracies(hits)[f"{name}_acc"] == pytest.approx(summary[name])
    np.testing.assert_allclose(scores[:, :9] / 6, tensors["output/verb_probabilities"], rtol=1e-5)


@pytest.mark.parametrize("probabilities", [True, False])
def test_joint_ranking_against_sorting(probabilities):
    rng = np.random.default_rng(0)
    verb, noun = rng.random((600, 4)), rng.random((600, 7))  # more rows than are ranked at once
    labels = np.stack([rng.integers(4, size=600), rng.integers(7, size=600)], axis=1)
    joint = verb[:, :, None] * noun[:, None] if probabilities else verb[:, :, None] + noun[:, None]
    best = np.argsort(-joint.reshape(600, -1), axis=1)[:, :5]
    expected = (best == (labels[:, 0] * 7 + labels[:, 1])[:, None]).any(axis=1)
    hits = verb_noun_hits(np.hstack([verb, noun]), labels, (4, 7), probabilities=probabilities)
    assert hits["action_top5_joint"].tolist() == expected.tolist() and 0 < expected.sum() < 600


def test_groups_and_unknown_labels():
    scores = np.eye(5)[[0, 1, 1]] + np.eye(5)[[2, 2, 4]]  # verbs 0 1 1, nouns 0 0 2
    labels = np.array([[0, 0], [1, 1], [0, 2]])
    tail = {"verb": np.array([True, True, False]), "noun": np.array([False] * 3), "action": np.array([True] * 3)}
    told = summarise(scores, labels, (2, 3), probabilities=True, groups={"tail": tail})
    assert told["verb_top1_acc"] == pytest.approx(200 / 3) and told["action_top1_acc"] == pytest.approx(100 / 3)
    assert told["tail"]["verb_top1_acc"] == 100 and np.isnan(told["tail"]["noun_top1_acc"])
    assert told["tail"]["num_videos"] == {"verb": 2, "noun": 0, "action": 3}
    assert summarise(scores, np.full((3, 2), -1), (2, 3), probabilities=True, groups={"tail": tail}) == {}


def test_submission():
    levels = {"sls_pt": 5, "sls_tl": 3, "sls_td": 3}
    scores = np.array([[1.5, 0.5, 0.5, 0.5, 1.0]])  # the sum of two views' probabilities
    told = submission(scores, ["P01_11_0"], (2, 3), probabilities=True, levels=levels)
    assert (told["version"], told["challenge"], told["sls_pt"]) == ("0.2", "action_recognition", 5)
    parts = told["results"]["P01_11_0"]
    assert list(parts["verb"]) == ["0", "1"] and list(parts["noun"]) == ["0", "1", "2"]
    assert np.exp(list(parts["noun"].values())) == pytest.approx([0.25, 0.25, 0.5])
