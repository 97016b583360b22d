"""VIDEO_MAE: masked pre-training of the plain video transformer, whose own sizes VIDEO_VIT says."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.VIDEO_MAE = CfgNode()
    cfg.VIDEO_MAE.MASK_RATIO = 0.9  # part of a frame's patches that is hidden, the same ones at every time step
    cfg.VIDEO_MAE.NORM_PIXELS = True  # predict pixels standardised over each token and colour; False: as they are
    cfg.VIDEO_MAE.DECODER_EMBED_DIM = 0  # token width; 0 = half of the encoder's
    cfg.VIDEO_MAE.DECODER_DEPTH = 0  # blocks; 0 = from VIDEO_VIT.SIZE: 4, or 12 for large and huge
    cfg.VIDEO_MAE.DECODER_NUM_HEADS = 0  # attention heads; 0 = half of the encoder's
