"""What follows from several keys, as pure functions of a loaded cfg; the cfg itself is never rewritten."""


def precision(cfg):
    """Arithmetic of training: "fp32", "bf16" or "fp16". TRAIN.PRECISION wins over TRAIN.MIXED_PRECISION."""
    return cfg.TRAIN.PRECISION or ("fp16" if cfg.TRAIN.MIXED_PRECISION else "fp32")


def effective_batch(cfg):
    """Clips that one optimizer step sees, over all machines and micro-steps."""
    return cfg.TRAIN.BATCH_SIZE * cfg.NUM_SHARDS * cfg.SOLVER.ACCUMULATE_STEPS


def lr_scale(cfg):
    """Factor on BASE_LR, WARMUP_START_LR and COSINE_END_LR.

    SOLVER.BASE_LR_BATCH_SIZE > 0: effective batch / that, as in Goyal et al. 2017, https://arxiv.org/abs/1706.02677;
    SOLVER.BASE_LR_SCALE_NUM_SHARDS: NUM_SHARDS, as PySlowFast multiplies the three keys in place; else 1.
    """
    if cfg.SOLVER.BASE_LR_BATCH_SIZE:
        return effective_batch(cfg) / cfg.SOLVER.BASE_LR_BATCH_SIZE
    return cfg.NUM_SHARDS if cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS else 1


def scaled_lr(cfg):
    """(base, warm-up start, cosine end) learning rates, each times `lr_scale`."""
    factor = lr_scale(cfg)
    return cfg.SOLVER.BASE_LR * factor, cfg.SOLVER.WARMUP_START_LR * factor, cfg.SOLVER.COSINE_END_LR * factor


def num_processes(cfg, cuda_available):
    """Processes on this machine: NUM_GPUS with CUDA; on the CPU (no CUDA, or NUM_GPUS 0) NUM_PROCS."""
    return cfg.NUM_GPUS if cuda_available and cfg.NUM_GPUS > 0 else cfg.NUM_PROCS


def num_views(cfg):
    """Views of each test video: temporal clips times spatial crops."""
    return cfg.TEST.NUM_ENSEMBLE_VIEWS * cfg.TEST.NUM_SPATIAL_CROPS


def mixes(cfg):
    """Whether training mixes clips, by MIXUP or by XViT's TRAIN.MIXUP_ALPHA."""
    return cfg.MIXUP.ENABLE or cfg.TRAIN.MIXUP_ALPHA > 0


def label_smoothing(cfg):
    """Share of training's targets that is spread evenly over all classes, whichever key says it."""
    in_targets = cfg.MIXUP.LABEL_SMOOTH_VALUE if cfg.MIXUP.ENABLE else 0.0
    return in_targets or (cfg.MODEL.LABEL_SMOOTHING if cfg.MODEL.LOSS_FUNC == "smooth_cross_entropy" else 0.0)


def crop_rule(cfg):
    """How the crops of a test clip lie: TEST.CROP_RULE; where that is "auto", as in the code DATA.SAMPLING is from."""
    if cfg.TEST.CROP_RULE != "auto":
        return cfg.TEST.CROP_RULE
    source = cfg.DATA.SAMPLING.split("_")[0]
    return source if source in ("videomae", "eva") else "slowfast"


def task_name(cfg):
    """Name of the registered task; where TASK is empty, the one that the labels imply, classification mostly."""
    datasets = (cfg.TRAIN.DATASET.lower(), cfg.TEST.DATASET.lower())
    if cfg.TASK:
        return cfg.TASK
    if cfg.DATA.MULTI_LABEL or "charades" in datasets:
        return "multi_label"
    return "verb_noun" if "epic_kitchens" in datasets else "classification"


def head_classes(cfg):
    """(verbs, nouns), the classes of each head where a label has two parts; None for one head."""
    return tuple(cfg.MODEL.HEAD_CLASSES) if task_name(cfg) == "verb_noun" else None


def reader_kind(cfg):
    """What opens videos: DATA.READER; where that is "auto", a DATA.DECODING_BACKEND of "pyav" decides."""
    if cfg.DATA.READER == "auto" and cfg.DATA.DECODING_BACKEND == "pyav":
        return "pyav"
    return cfg.DATA.READER
