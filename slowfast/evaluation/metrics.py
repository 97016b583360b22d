"""Numbers that tell how good scores are: top-k accuracy, confusion matrix, accuracy per class.

V videos (or clips), K classes; labels are class indices in [0, K). Accuracies are in percent.
"""

import numpy as np
import torch


def topk_correct(scores, labels, ks):
    """How many rows have their label among the k largest scores.

    Of equal scores the lower class index ranks first, so that the count never depends on a sorting algorithm, and
    k = 1 agrees with argmax. A label whose score is NaN never counts as right.

    Args:
        scores: (V, K), tensor on any device or array.
        labels: integers (V,), on the same device.
        ks: values of k; one that exceeds K counts as K.
    Returns:
        int64 tensor (len(ks),) on the device of `scores`; nothing waits for the device.
    """
    scores, labels = torch.as_tensor(scores), torch.as_tensor(labels).long()
    own = scores.gather(1, labels[:, None])  # (V, 1)
    classes = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (classes >= labels[:, None]))  # the label itself included
    rank = (~behind).sum(dim=1)  # (V,) classes ahead of the label; K where its score is NaN
    return torch.stack([(rank < min(k, scores.shape[1])).sum() for k in ks])


def topk_accuracy(scores, labels, ks=(1, 5)):
    """Percent of rows with their label among the k largest scores: list of floats, NaN without rows.

    A k that exceeds the number of classes counts as that number: top-5 of 5 or fewer classes is always 100.
    """
    rows = len(scores)
    return [100.0 * count / rows if rows else float("nan") for count in topk_correct(scores, labels, ks).tolist()]


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
