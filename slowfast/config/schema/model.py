"""MODEL: which model, its classes, its head and its loss."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.MODEL = CfgNode()
    cfg.MODEL.MODEL_NAME = "SlowFast"  # registered model
    cfg.MODEL.NUM_CLASSES = 400  # labels lie in [0, NUM_CLASSES)
    cfg.MODEL.HEAD_CLASSES = []  # TASK verb_noun: [verbs, nouns], e.g. [97, 300]; their sum is NUM_CLASSES
    cfg.MODEL.DROPOUT_RATE = 0.5  # before the classifier
    cfg.MODEL.LOSS_FUNC = "cross_entropy"  # classification: cross_entropy | soft_cross_entropy | smooth_cross_entropy
    cfg.MODEL.LABEL_SMOOTHING = 0.3  # smooth_cross_entropy: share of the target spread evenly over all classes
    cfg.MODEL.TRAINABLE = []  # names of parameters or modules, '*' for any text: train only these; [] = all
    cfg.MODEL.FREEZE = []  # names as above: do not train these
    cfg.MODEL.ACT_CHECKPOINT = False  # recompute activations in the backward pass: less memory, more time
    cfg.MODEL.ACT_CHECKPOINT_KEEP = []  # what is kept all the same: attention, linear (their outputs)
    cfg.MODEL.COMPILE = False  # torch.compile the model, at the first step of each clip shape; for long runs on a GPU
