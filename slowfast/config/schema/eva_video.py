"""EVA_VIDEO: EVA's image transformer as a video transformer, all tokens of a clip attending to each other."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.EVA_VIDEO = CfgNode()
    cfg.EVA_VIDEO.SIZE = "giant"  # small | base | large | giant (1.0 B parameters); the next four keys override it
    cfg.EVA_VIDEO.EMBED_DIM = 0  # token width; 0 = from SIZE
    cfg.EVA_VIDEO.DEPTH = 0  # blocks; 0 = from SIZE
    cfg.EVA_VIDEO.NUM_HEADS = 0  # attention heads; 0 = from SIZE
    cfg.EVA_VIDEO.MLP_DIM = 0  # hidden width of a block's MLP; 0 = from SIZE, or 4 x EMBED_DIM where that is given
    cfg.EVA_VIDEO.PATCH_SIZE = 14  # px, height and width of a token; a divisor of the crops
    cfg.EVA_VIDEO.TUBELET_SIZE = 1  # frames of a token; a divisor of NUM_FRAMES
    cfg.EVA_VIDEO.DROP_PATH_RATE = 0.0  # stochastic depth of the last block, growing linearly from 0
    cfg.EVA_VIDEO.INIT_STD = 0.02  # standard deviation of linear layers, positions and class token at the start
    cfg.EVA_VIDEO.HEAD_INIT_SCALE = 0.001  # factor on the classifier's initial weights
    # What the positions of a loaded video checkpoint are for; an image checkpoint says it itself.
    cfg.EVA_VIDEO.PRETRAIN_NUM_FRAMES = 0  # frames; 0 = what their number tells, refused where it leaves a choice
    cfg.EVA_VIDEO.PRETRAIN_CROP_SIZE = 0  # px of a side; 0 = DATA.TRAIN_CROP_SIZE where the frames are given
    cfg.EVA_VIDEO.INTERPOLATE = True  # resize positions to other frames and crops; False: refuse them
