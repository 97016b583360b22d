"""BN: batch normalisation."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.BN = CfgNode()
    cfg.BN.WEIGHT_DECAY = 0.0  # weight decay of batch normalisation's weights and biases
