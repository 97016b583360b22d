"""Metrics against upstream's numbers, torch.topk and counting by hand."""

import json

import numpy as np
import pytest
import torch

from slowfast.evaluation.metrics import confusion_matrix, per_class_accuracy, topk_accuracy, topk_correct


def test_topk_equals_upstream(reference_dir):
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["topk"]["cases"]
    for case in cases:
        scores, labels = torch.tensor(case["preds"]), torch.tensor(case["labels"])
        assert topk_correct(scores, labels, case["ks"]).tolist() == case["correct"]
        np.testing.assert_allclose(topk_accuracy(scores, labels, case["ks"]), case["accuracies_percent"], rtol=1e-6)


@pytest.mark.parametrize("case", [0, 1])
def test_accuracy_of_ensembled_videos_equals_upstream(reference_dir, case):
    facts = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["test_meter"]["cases"][case]
    top1, top5 = topk_accuracy(np.float32(facts["video_preds"]), np.array(facts["video_labels"]))
    assert (f"{top1:.2f}", f"{top5:.2f}") == (facts["stats"]["top1_acc"], facts["stats"]["top5_acc"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_topk_equals_torch_topk_without_ties(dtype):
    generator = torch.Generator().manual_seed(3)
    scores = torch.stack([torch.randperm(23, generator=generator) for _ in range(40)]).to(dtype)
    labels = torch.randint(23, (40,), generator=generator)
    for k in (1, 2, 7, 23):
        expected = (scores.topk(k, dim=1).indices == labels[:, None]).any(dim=1).sum()
        assert topk_correct(scores, labels, [k]).item() == expected


def test_of_equal_scores_the_lower_class_ranks_first():
    scores, labels = torch.zeros(4, 4), torch.tensor([0, 0, 1, 3])
    assert topk_correct(scores, labels, (1, 2, 3)).tolist() == [2, 3, 3]
    assert scores.numpy().argmax(axis=1).tolist() == [0] * 4  # the rule that predictions follow


def test_nan_never_counts_as_right():
    scores = torch.tensor([[float("nan"), 0.0, 1.0], [0.0, float("nan"), 1.0]])
    assert topk_correct(scores, torch.tensor([0, 2]), (1, 2, 3, 5)).tolist() == [0, 1, 1, 1]


def test_k_beyond_the_classes_counts_as_all_of_them():
    assert topk_accuracy(torch.tensor([[0.1, 0.9], [0.2, 0.3]]), [0, 1], (1, 5)) == [50.0, 100.0]


def test_no_rows_have_no_accuracy():
    assert np.isnan(topk_accuracy(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))).all()


def test_confusion_matrix_counts_rows_by_true_class():
    matrix = confusion_matrix(predictions=[1, 1, 0, 2, 1], labels=[0, 1, 0, 2, 0], num_classes=4)
    assert matrix.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    accuracy, counts = per_class_accuracy(matrix)
    np.testing.assert_allclose(accuracy, [100 / 3, 100, 100, np.nan])
    assert counts.tolist() == [3, 1, 1, 0]


@pytest.mark.parametrize(("predictions", "labels", "name"), [([4], [0], "prediction"), ([0], [-1], "label")])
def test_class_out_of_range_is_refused(predictions, labels, name):
    with pytest.raises(ValueError, match=rf"{name}s must be in \[0, 4\)"):
        confusion_matrix(predictions, labels, 4)
