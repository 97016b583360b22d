"""BN: batch normalisation."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.BN = CfgNode()
    cfg.BN.WEIGHT_DECAY = 0.0  # weight decay of batch normalisation's weights and biases
    cfg.BN.NORM_TYPE = (
        "batchnorm"  # batchnorm | sub_batchnorm: of parts of a batch | sync_batchnorm: of several GPUs' batches
    )
    cfg.BN.NUM_SPLITS = 1  # sub_batchnorm: parts of a process's batch, each with statistics of its own
    cfg.BN.NUM_SYNC_DEVICES = 1  # sync_batchnorm: neighbouring processes that share statistics; 1 = none do
    cfg.BN.GLOBAL_SYNC = False  # sync_batchnorm: all processes share them, whatever NUM_SYNC_DEVICES says
