"""Losses by the names that MODEL.LOSS_FUNC knows, and their targets."""

from torch import nn
from torch.nn.functional import one_hot

from slowfast.utils.errors import ConfigError

LOSSES = ("cross_entropy", "soft_cross_entropy", "smooth_cross_entropy")


def build_loss(name, *, smoothing=0.0):
    """A module (logits (B, K), target) -> 0-D loss, the mean over the batch of -sum(target * log softmax(logits)).

    A target is int64 (B,), class indices, or float (B, K), shares of the classes.

    Args:
        name: "cross_entropy" or upstream's name "soft_cross_entropy", which are the same here; "smooth_cross_entropy"
            spreads `smoothing` of a target evenly over all classes, its own included.
        smoothing: of "smooth_cross_entropy"; 0.3 in the released XViT, which never passes another value.
    Raises: ConfigError for a name that is not known.
    """
    if name not in LOSSES:
        raise ConfigError(f"MODEL.LOSS_FUNC: '{name}' is not one of {', '.join(LOSSES)}")
    return nn.CrossEntropyLoss(label_smoothing=smoothing if name == "smooth_cross_entropy" else 0.0)


def soft_targets(labels, num_classes, smoothing=0.0):
    """Shares of the classes, float32 (B, K), of labels int64 (B,): `smoothing` is spread evenly over all K of them."""
    return one_hot(labels, num_classes).float().mul_(1.0 - smoothing).add_(smoothing / num_classes)
