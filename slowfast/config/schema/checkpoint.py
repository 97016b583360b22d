"""CHECKPOINT: how many checkpoints stay."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.CHECKPOINT = CfgNode()
    cfg.CHECKPOINT.KEEP_LAST = 3  # epoch checkpoints that stay; 0 = all; best.pyth always stays
