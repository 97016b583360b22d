"""SOLVER: optimizer, learning-rate schedule, accumulation and clipping. Epochs count from 0 and may be fractions."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.SOLVER = CfgNode()
    cfg.SOLVER.OPTIMIZING_METHOD = "sgd"  # sgd | adam | adamw
    cfg.SOLVER.MAX_EPOCH = 300  # epochs
    # Learning rate.
    cfg.SOLVER.BASE_LR = 0.1  # for the effective batch as it is, unless one of the next two keys scales it
    cfg.SOLVER.BASE_LR_BATCH_SIZE = 0  # clips; > 0: the rates are for this effective batch, scaled to the run's
    cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS = False  # multiply BASE_LR, WARMUP_START_LR, COSINE_END_LR by NUM_SHARDS
    cfg.SOLVER.LR_POLICY = "cosine"  # cosine | steps_with_relative_lrs
    cfg.SOLVER.COSINE_END_LR = 0.0  # cosine: learning rate at MAX_EPOCH
    cfg.SOLVER.COSINE_AFTER_WARMUP = False  # cosine: start the half-wave after the warm-up, not at epoch 0
    cfg.SOLVER.STEPS = []  # steps: epochs at which LRS changes, the first is 0
    cfg.SOLVER.LRS = []  # steps: factor on BASE_LR from each of STEPS on
    cfg.SOLVER.GAMMA = 0.1  # steps with MULTIGRID.LONG_CYCLE: factor on BASE_LR at each of STEPS, in place of LRS
    cfg.SOLVER.WARMUP_EPOCHS = 0.0  # epochs of linear growth from WARMUP_START_LR
    cfg.SOLVER.WARMUP_START_LR = 0.01
    cfg.SOLVER.WARMUP_ENDS_AT_PEAK = False  # True: the warm-up's last step has the full rate; False: the one after it
    cfg.SOLVER.LR_DELAY_STEPS = 0  # optimizer steps by which the rate lags behind its schedule
    cfg.SOLVER.LAYER_DECAY = 1.0  # layer i of L learns at LAYER_DECAY ** (L + 1 - i) times the rate; 1 = all alike
    # Optimizer.
    cfg.SOLVER.MOMENTUM = 0.9  # sgd
    cfg.SOLVER.DAMPENING = 0.0  # sgd
    cfg.SOLVER.NESTEROV = True  # sgd
    cfg.SOLVER.BETAS = (0.9, 0.999)  # adam, adamw
    cfg.SOLVER.EPS = 1e-8  # adam, adamw: added to the denominator
    cfg.SOLVER.STATE_BITS = 32  # 32 | 8, of each number that adam and adamw keep; 8 needs bitsandbytes
    cfg.SOLVER.WEIGHT_DECAY = 1e-4
    cfg.SOLVER.ZERO_WD_1D_PARAM = False  # no weight decay for biases and normalisation weights
    cfg.SOLVER.NO_DECAY = []  # no weight decay for these names ("*": any text), nor for what the model exempts
    # Moving average of the weights.
    cfg.SOLVER.EMA_DECAY = 0.0  # share of the average that each optimizer step keeps, e.g. 0.9999; 0 = no average
    cfg.SOLVER.EMA_EVALUATE = True  # validate and test the average, where there is one, not the last step's weights
    # Accumulation and clipping.
    cfg.SOLVER.ACCUMULATE_STEPS = 1  # micro-batches an optimizer step; TRAIN.BATCH_SIZE counts one of them
    cfg.SOLVER.CLIP_GRAD_VAL = None  # largest absolute value of a gradient's element; None = off
    cfg.SOLVER.CLIP_GRAD_L2NORM = None  # largest total norm; None = off; CLIP_GRAD_VAL goes first where both are set
