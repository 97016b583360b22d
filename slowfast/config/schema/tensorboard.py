"""TENSORBOARD: event files of a run."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.TENSORBOARD = CfgNode()
    cfg.TENSORBOARD.ENABLE = True  # upstream: False
    cfg.TENSORBOARD.LOG_DIR = ""  # folder; "" = OUTPUT_DIR/tensorboard
