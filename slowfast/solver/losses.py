"""Losses by the names that MODEL.LOSS_FUNC knows."""

from torch import nn

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
