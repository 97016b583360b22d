"""MULTIGRID: many small clips a step at first, few large ones at last; see docs/multigrid.md."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.MULTIGRID = CfgNode()
    cfg.MULTIGRID.LONG_CYCLE = False  # frames, crop, batch and learning rate change from phase to phase
    cfg.MULTIGRID.SHORT_CYCLE = False  # crop and batch change from one optimizer step to the next
    cfg.MULTIGRID.EPOCH_FACTOR = 1.5  # epochs of the run, over SOLVER.MAX_EPOCH
    # (part of DATA.NUM_FRAMES, part of DATA.TRAIN_CROP_SIZE) of each shape of the long cycle
    cfg.MULTIGRID.LONG_CYCLE_FACTORS = [(0.25, 0.5**0.5), (0.5, 0.5**0.5), (0.5, 1), (1, 1)]
    # parts of DATA.TRAIN_CROP_SIZE; the phase's own crop ends each short cycle
    cfg.MULTIGRID.SHORT_CYCLE_FACTORS = [0.5, 0.5**0.5]
    cfg.MULTIGRID.LR_BATCH_POWER = 1.0  # a long-cycle batch n times as large learns at n ** this times the rate
    cfg.MULTIGRID.EVAL_FREQ = 3  # validations, and checkpoints, a phase of the long cycle
    cfg.MULTIGRID.BN_BASE_SIZE = 8  # clips that batch normalisation's statistics are of, in the long cycle
