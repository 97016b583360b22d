"""Losses by the names that MODEL.LOSS_FUNC knows."""

from torch import nn

from slowfast.utils.errors import ConfigError

LOSSES = {"cross_entropy": nn.CrossEntropyLoss}


def build_loss(name):
    """A module (logits (B, K), labels int64 (B,)) -> 0-D loss.

    Raises: ConfigError for a name that is not known.
    """
    if name not in LOSSES:
        raise ConfigError(f"MODEL.LOSS_FUNC: '{name}' is not one of {', '.join(sorted(LOSSES))}")
    return LOSSES[name]()
