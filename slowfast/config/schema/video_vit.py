"""VIDEO_VIT: the plain video transformer that VideoMAE fine-tunes."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.VIDEO_VIT = CfgNode()
    cfg.VIDEO_VIT.SIZE = "base"  # small | base | large | huge; the next three keys override it
    cfg.VIDEO_VIT.EMBED_DIM = 0  # token width; 0 = from SIZE
    cfg.VIDEO_VIT.DEPTH = 0  # blocks; 0 = from SIZE
    cfg.VIDEO_VIT.NUM_HEADS = 0  # attention heads; 0 = from SIZE
    cfg.VIDEO_VIT.MLP_RATIO = 4.0  # hidden width of a block's MLP / EMBED_DIM
    cfg.VIDEO_VIT.PATCH_SIZE = 16  # px, height and width of a token; a divisor of the crops
    cfg.VIDEO_VIT.TUBELET_SIZE = 2  # frames of a token; a divisor of NUM_FRAMES
    cfg.VIDEO_VIT.CLASS_TOKEN = False  # put a learnt token in front of the patches; VideoMAE has none
    cfg.VIDEO_VIT.POOLING = "mean"  # mean: of the patches | token: the first one, the class token where there is one
    cfg.VIDEO_VIT.POSITIONS = "sincos"  # sincos: a fixed table | learnt: a parameter
    cfg.VIDEO_VIT.DROP_RATE = 0.0  # dropout after attention's projection and the MLP; the head's is MODEL.DROPOUT_RATE
    cfg.VIDEO_VIT.DROP_ATTN_RATE = 0.0  # dropout on attention weights
    cfg.VIDEO_VIT.DROP_PATH_RATE = 0.0  # stochastic depth of the last block, growing linearly from 0
    cfg.VIDEO_VIT.INIT_STD = 0.02  # standard deviation of linear layers and learnt positions at the start
    cfg.VIDEO_VIT.HEAD_INIT_SCALE = 0.001  # factor on the classifier's initial weights; VideoMAE's --init_scale
