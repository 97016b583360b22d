"""WEIGHTS: other people's checkpoints, where they are kept and when they count as another model's."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.WEIGHTS = CfgNode()
    cfg.WEIGHTS.MIN_MATCHED = 0.9  # part of the backbone's parameters that a checkpoint must give, or training stops
    cfg.WEIGHTS.CACHE_DIR = ""  # folder for checkpoints named by a URL; "" = ~/.torch/iopath_cache
    cfg.WEIGHTS.TRAIN_SHA256 = ""  # hex digest that TRAIN.CHECKPOINT_FILE_PATH must have; "" = any
    cfg.WEIGHTS.TEST_SHA256 = ""  # hex digest that TEST.CHECKPOINT_FILE_PATH must have; "" = any
    # Another label set than the checkpoint's: which rows of its classifier are taken.
    cfg.WEIGHTS.CLASS_NAMES_PATH = ""  # the checkpoint's classes, like DATA.CLASS_NAMES_PATH; "" = they are not mapped
    cfg.WEIGHTS.CLASS_ALIASES_PATH = ""  # lines `name here,name there`, where names differ; `name here,` starts anew
    cfg.WEIGHTS.CLASS_INDEX_PATH = ""  # instead: a number of the checkpoint's class for each class here, -1 = anew
