"""Triplet losses over a batch of embeddings; a batch without a triplet costs 0 and has no gradient."""

# B embeddings of width D
import torch

VIOLATION = 1e-8  # smallest value of a triplet that counts as violating the margin


def batch_all_triplet(embeddings, labels, margin=1.0):
    """Mean over all triplets that violate the margin, by Euclidean distance.

    A triplet is (anchor, positive, negative) of three clips, the first two of one label, the third of another; it costs
    relu(d(anchor, positive) - d(anchor, negative) + margin).

    Args:
        embeddings: (B, D), used as they are. labels: int64 (B,). margin: in units of the distance.
    Returns:
        0-D, 0 where no triplet violates the margin.
    Source: Hermans et al. 2017, https://arxiv.org/abs/1703.07737
    """
    distances = _root(squared_distances(embeddings))
    positive, negative = _pairs(labels)
    triplets = positive[:, :, None] & negative[:, None, :]  # (anchor, positive, negative)
    values = (distances[:, :, None] - distances[:, None, :] + margin).clamp(min=0)
    violating = triplets & (values > VIOLATION)
    return _mean(values, violating)


def semi_hard_triplet(embeddings, labels, margin=1.0, *, root=False):
    """Mean over all (anchor, positive) of relu(d(anchor, positive) - d(anchor, negative) + margin).

    The negative is the nearest one that is farther than the positive, else the farthest one.

    Args:
        embeddings: (B, D), used as they are. labels: int64 (B,). margin: in units of the distance.
        root: measure Euclidean distances; else their squares, as the released code does, which lacks the root.
    Returns:
        0-D, 0 where no two clips share a label, or all do.
    Source: Schroff et al. 2015, https://arxiv.org/abs/1503.03832
    """
    distances = squared_distances(embeddings)
    distances = _root(distances) if root else distances
    positive, negative = _pairs(labels)
    to_positive = distances[:, :, None]  # (anchor, positive, 1)
    farther = negative[:, None, :] & (distances[:, None, :] > to_positive)  # (anchor, positive, negative)
    nearest = distances[:, None, :].masked_fill(~farther, torch.inf).amin(dim=2)
    farthest = distances.masked_fill(~negative, -torch.inf).amax(dim=1, keepdim=True)
    to_negative = torch.where(farther.any(dim=2), nearest, farthest)  # (anchor, positive)
    values = (distances - to_negative + margin).clamp(min=0)
    return _mean(values, positive & negative.any(dim=1, keepdim=True))


def squared_distances(embeddings):
    """(B, D) -> (B, B); equal embeddings are exactly 0 apart, which a Gram matrix would not give in float32."""
    return (embeddings[:, None] - embeddings[None]).square().sum(dim=2)


def _root(squared):
    """Square root without a gradient at 0, where it would be infinite."""
    apart = squared > 0
    return torch.where(apart, squared, 1.0).sqrt() * apart


def _pairs(labels):
    """Which (anchor, other) are two clips of one label, and which of two labels, each bool (B, B)."""
    same = labels[:, None] == labels[None]
    return same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same


def _mean(values, chosen):
    """Mean of the chosen values; 0 without any."""
    return torch.where(chosen, values, 0.0).sum() / chosen.sum().clamp(min=1)
