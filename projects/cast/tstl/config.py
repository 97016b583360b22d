"""TSTL's own keys: defaults, units and meanings. Defaults are the released recipe's."""

from slowfast.config import CfgNode


def add_config(cfg):
    """Add the section TSTL."""
    cfg.TSTL = CfgNode()
    cfg.TSTL.GROUPS_PATH = ""  # JSON with class_to_head, class number -> group number; projects/cast/group_classes.py
    cfg.TSTL.DATASET = "kinetics"  # registered data set behind TRAIN.DATASET and TEST.DATASET tstl; one label a video
    cfg.TSTL.STAGE = ""  # selector: labels are groups | experts: a run an expert | "": labels as they are
    cfg.TSTL.EXPERTS = None  # experts to train, each in OUTPUT_DIR/expert_NN: None or all | 3 | [0, 3] | 0-4
    cfg.TSTL.EXPERT_VIDEOS = "group"  # group | all: what an expert is trained and tested on
    # Training loss: the sum of weight * loss.
    cfg.TSTL.CE_WEIGHT = 1.0  # cross-entropy with soft targets
    cfg.TSTL.BATCH_ALL_WEIGHT = 0.0  # batch-all triplet loss of the fused features; not of mixed clips
    cfg.TSTL.SEMI_HARD_WEIGHT = 0.0  # semi-hard triplet loss of the fused features; not of mixed clips
    cfg.TSTL.MARGIN = 1.0  # of both triplet losses
    cfg.TSTL.SEMI_HARD_ROOT = False  # True: Euclidean distances; False: their squares, as released
    cfg.TSTL.VAL_CE_WEIGHT = 0.5  # of the loss that validation reports
    cfg.TSTL.VAL_BATCH_ALL_WEIGHT = 0.5
    # One model of selector and experts.
    cfg.TSTL.TOPK = 1  # experts asked for each clip, the best by the selector's scores
    cfg.TSTL.VOTE = "maxlogit"  # maxlogit | majority | weighted | weighted_prob; see tstl/routing.py
