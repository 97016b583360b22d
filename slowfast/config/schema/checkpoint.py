"""CHECKPOINT: how checkpoints are written and how many stay."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.CHECKPOINT = CfgNode()
    cfg.CHECKPOINT.KEEP_LAST = 3  # epoch checkpoints that stay; 0 = all; best.pyth always stays
    cfg.CHECKPOINT.ON_SAVE_ERROR = "stop"  # stop | warn: what a full disk or a read-only folder does to the run
    cfg.CHECKPOINT.ASYNC = False  # copy the state to CPU memory, then write it while training goes on
    cfg.CHECKPOINT.TRAINABLE_ONLY = False  # leave frozen weights out; their SHA-256 stands for them
