"""AUG and MIXUP: what is drawn to make training clips differ. What is not drawn is under DATA."""

from slowfast.config.node import CfgNode


def add(cfg):
    cfg.AUG = CfgNode()
    cfg.AUG.ENABLE = False  # switches the next nine keys
    cfg.AUG.AA_TYPE = "rand-m9-mstd0.5-inc1"  # RandAugment's magnitude string | v0: AutoAugment | "" = none
    cfg.AUG.INTERPOLATION = "bicubic"  # bicubic | bilinear, of the policy's rotations, shears and translations
    cfg.AUG.COLOR_STRENGTHS = []  # [brightness, contrast, saturation, hue], 0 = not changed; [] = none of them
    cfg.AUG.COLOR_PROB = 0.8  # probability of a clip to get other colours
    cfg.AUG.COLOR_PER_FRAME = False  # draw colours for each frame, as EVA does; False: once for a clip
    cfg.AUG.GREY_PROB = 0.0  # probability of a clip to lose its colours
    cfg.AUG.RE_PROB = 0.25  # probability of a clip to have a box of it erased
    cfg.AUG.RE_MODE = "pixel"  # pixel: normal noise | rand: one random colour | const: zero, after normalisation
    cfg.AUG.RE_COUNT = 1  # largest number of boxes
    cfg.AUG.NUM_SAMPLE = 1  # clips of each video in a batch, the same frames augmented anew; BATCH_SIZE counts videos
    # XViT's names for the same, effective without AUG.ENABLE.
    cfg.DATA.AUTOAUGMENT = False  # AUG.AA_TYPE v0
    cfg.DATA.RANDAUGMENT = False  # AUG.AA_TYPE rand-m20-n2, where AUTOAUGMENT is off (XViT: True)
    cfg.DATA.RAND_CROP = 0.0  # despite its name AUG.RE_PROB with AUG.RE_MODE const
    cfg.DATA.USE_XVIT_AGUMENTATION = False  # spelt as there; DATA.MULTI_SCALE_CROP [1, 0.875, 0.75, 0.66] (XViT: True)

    cfg.MIXUP = CfgNode()
    cfg.MIXUP.ENABLE = False  # mix clips and their labels in pairs
    cfg.MIXUP.ALPHA = 0.8  # mixup: of the Beta distribution of the shares; 0 = no mixup
    cfg.MIXUP.CUTMIX_ALPHA = 1.0  # cutmix: of the Beta distribution of the shares; 0 = no cutmix
    cfg.MIXUP.PROB = 1.0  # probability of a group to be mixed
    cfg.MIXUP.SWITCH_PROB = 0.5  # probability of cutmix instead of mixup, where both are on
    cfg.MIXUP.LABEL_SMOOTH_VALUE = 0.1  # share of the target spread evenly over all classes, of unmixed clips too
    cfg.MIXUP.GROUP_SIZE = 2  # clips that share one draw; 0 = a process's micro-batch: then ranks change the result
    cfg.TRAIN.MIXUP_ALPHA = 0.0  # XViT's; > 0: mixup alone, of all groups, with this for MIXUP.ALPHA
