"""Numbers that tell how good scores are: top-k accuracy, confusion matrix, accuracy per class.

V videos (or clips), K classes; labels are class indices in [0, K). Accuracies are in percent.
"""

import numpy as np
import torch


def label_ranks(scores, labels):
    """How many classes rank ahead of each row's label, int64 (V,); K where the label's score is NaN.

    Of equal scores the lower class index ranks first, so that a rank never depends on a sorting algorithm, and rank 0
    agrees with argmax.

    Args: scores: (V, K) tensor. labels: int64 (V,), on the same device.
    """
    own = scores.gather(1, labels[:, None])  # (V, 1)
    classes = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (classes >= labels[:, None]))  # the label itself included
    return (~behind).sum(dim=1)


def topk_correct(scores, labels, ks):
    """How many rows have their label among the k largest scores, by `label_ranks`.

    Args:
        scores: (V, K), tensor on any device or array.
        labels: integers (V,), on the same device.
        ks: values of k; one that exceeds K counts as K.
    Returns:
        int64 tensor (len(ks),) on the device of `scores`; nothing waits for the device.
    """
    scores, labels = torch.as_tensor(scores), torch.as_tensor(labels).long()
    rank = label_ranks(scores, labels)
    return torch.stack([(rank < min(k, scores.shape[1])).sum() for k in ks])


def topk_accuracy(scores, labels, ks=(1, 5)):
    """Percent of rows with their label among the k largest scores: list of floats, NaN without rows.

    A k that exceeds the number of classes counts as that number: top-5 of 5 or fewer classes is always 100.
    """
    rows = len(scores)
    return [100.0 * count / rows if rows else float("nan") for count in topk_correct(scores, labels, ks).tolist()]


def average_precision(scores, labels):
    """Average precision of each class over the rows, a fraction; NaN for a class without positives.

    The sum over thresholds of (step of recall) * precision, without interpolation; rows with equal scores pass a
    threshold together.

    Args:
        scores: (V, K) array or tensor.
        labels: (V, K), 1 where the class applies, else 0.
    Returns:
        float64 (K,).
    Source: PySlowFast's multi-label metric, scikit-learn's average_precision_score.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, bool)
    return np.array([_average_precision(*column) for column in zip(scores.T, labels.T)])


def _average_precision(scores, positive):
    if not positive.any():
        return np.nan
    order = np.argsort(-scores, kind="stable")
    thresholds = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # last row of each run of equal scores
    hits = np.cumsum(positive[order])[thresholds]
    return float(np.sum(np.diff(hits, prepend=0) / positive.sum() * hits / (thresholds + 1)))


def mean_average_precision(scores, labels):
    """Percent: the mean of `average_precision` over the classes that have positives; NaN if none has."""
    precisions = average_precision(scores, labels)
    kept = precisions[~np.isnan(precisions)]
    return 100.0 * float(kept.mean()) if len(kept) else float("nan")


def confusion_matrix(predictions, labels, num_classes):
    """int64 (K, K): entry (i, j) counts the rows of class i that were taken for class j.

    Args:
        predictions, labels: integers (V,) in [0, num_classes).
    Raises:
        ValueError: a class index out of range.
    """
    predictions, labels = np.asarray(predictions, np.int64), np.asarray(labels, np.int64)
    for name, values in (("prediction", predictions), ("label", labels)):
        if len(values) and not (0 <= values.min() and values.max() < num_classes):
            raise ValueError(f"{name}s must be in [0, {num_classes}), got {values.min()} to {values.max()}")
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def per_class_accuracy(matrix):
    """Accuracy of each class from a confusion matrix (rows: true classes).

    Returns: (float64 (K,) in percent, NaN for a class without rows; int64 (K,) number of rows of each class).
    """
    matrix = np.asarray(matrix)
    counts = matrix.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return 100.0 * np.diagonal(matrix) / counts, counts
