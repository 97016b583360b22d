"""TRAIN: the training job, its checkpoints and its precision."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.TRAIN = CfgNode()
    cfg.TRAIN.ENABLE = True  # run the training job
    cfg.TRAIN.DATASET = "kinetics"  # registered data set, for training and validation
    cfg.TRAIN.BATCH_SIZE = 64  # clips a machine and micro-step, over all its processes
    cfg.TRAIN.BALANCED_BATCH = []  # [P, K]: P classes, K clips of each, a process and micro-step; [] = any clips
    cfg.TRAIN.EVAL_PERIOD = 10  # epochs between two validations
    cfg.TRAIN.CHECKPOINT_PERIOD = 10  # epochs between two checkpoints
    cfg.TRAIN.CHECKPOINT_PERIOD_ITERS = 0  # optimizer steps between two checkpoints inside an epoch; 0 = off
    cfg.TRAIN.AUTO_RESUME = True  # go on from OUTPUT_DIR's last checkpoint
    cfg.TRAIN.CHECKPOINT_FILE_PATH = ""  # weights to start from; "" = random
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET = False  # take only the weights of CHECKPOINT_FILE_PATH and start at epoch 0
    cfg.TRAIN.MIXED_PRECISION = False  # upstream's switch: True = fp16, unless PRECISION says otherwise
    cfg.TRAIN.PRECISION = ""  # fp32 | bf16 | fp16; "" = fp16 if MIXED_PRECISION else fp32
    cfg.TRAIN.PARALLEL = "ddp"  # ddp | fsdp: a whole model in each process, or weights, gradients, momenta shared out
    cfg.TRAIN.AUTO_BATCH = False  # largest BATCH_SIZE predicted to fit; ACCUMULATE_STEPS keeps the effective batch
    cfg.TRAIN.MEMORY_LIMIT_GIB = 0.0  # GiB a process that AUTO_BATCH may fill to nine tenths; 0 = what is free
    cfg.TRAIN.MAX_UNREADABLE_IN_A_ROW = 10  # unreadable videos in a row that training replaces before it stops
