"""What a value may be beyond its type, and which keys must fit each other."""

import math

from slowfast.config.node import get

CHOICES = {
    "DIST_BACKEND": ("nccl", "gloo"),
    "TRAIN.PRECISION": ("", "fp32", "bf16", "fp16"),
    "TRAIN.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.SCORES": ("softmax", "logits"),
    "TEST.FRAME_ORDER": ("forward", "reversed", "shuffled"),
    "TEST.NUM_SPATIAL_CROPS": (1, 2, 3),
    "DATA.READER": ("auto", "pyav"),
    "DATA.DECODING_BACKEND": ("torchvision", "pyav", "decord"),
    "DATA.PATH_LABEL_SEPARATOR": ("auto", " ", ",", "\t"),
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "SOLVER.OPTIMIZING_METHOD": ("sgd", "adam", "adamw"),
    "SOLVER.LR_POLICY": ("cosine", "steps_with_relative_lrs"),
    "XVIT.CONSENSUS_TYPE": ("vit", "avg"),
}

# key: smallest value allowed
AT_LEAST = {
    **dict.fromkeys(("NUM_GPUS", "SHARD_ID", "TRAIN.CHECKPOINT_PERIOD_ITERS", "TEST.MAX_UNREADABLE"), 0),
    **dict.fromkeys(("NUM_PROCS", "NUM_SHARDS", "LOG_PERIOD"), 1),
    **dict.fromkeys(("TRAIN.BATCH_SIZE", "TRAIN.EVAL_PERIOD", "TRAIN.CHECKPOINT_PERIOD"), 1),
    **dict.fromkeys(("TRAIN.MAX_UNREADABLE_IN_A_ROW", "TEST.BATCH_SIZE", "TEST.NUM_ENSEMBLE_VIEWS"), 1),
    **dict.fromkeys(("DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.TARGET_FPS"), 1),
    **dict.fromkeys(("DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE"), 1),
    **dict.fromkeys(("DATA_LOADER.NUM_WORKERS", "CHECKPOINT.KEEP_LAST", "BENCHMARK.NUM_WARMUP"), 0),
    **dict.fromkeys(("DATA_LOADER.PREFETCH_FACTOR", "MODEL.NUM_CLASSES"), 1),
    **dict.fromkeys(("SOLVER.MAX_EPOCH", "SOLVER.ACCUMULATE_STEPS"), 1),
    **dict.fromkeys(("SOLVER.BASE_LR", "SOLVER.COSINE_END_LR", "SOLVER.WARMUP_START_LR"), 0),
    **dict.fromkeys(("SOLVER.WARMUP_EPOCHS", "SOLVER.WEIGHT_DECAY", "BN.WEIGHT_DECAY", "SOLVER.DAMPENING"), 0),
    **dict.fromkeys(("MODEL.FC_INIT_STD", "XVIT.POS_INIT_STD"), 0),
    **dict.fromkeys(("XVIT.PATCH_SIZE", "XVIT.EMBED_DIM", "XVIT.DEPTH", "XVIT.NUM_HEADS", "XVIT.MLP_RATIO"), 0),
    **dict.fromkeys(("XVIT.NUM_SEGMENTS", "XVIT.SHIFT_DIV", "XVIT.NUM_TEMPORAL_EMBEDDINGS"), 1),
    **dict.fromkeys(("XVIT.PRETRAIN_IMAGE_SIZE", "TEMPORAL_HEAD.HIDDEN_DIM", "TEMPORAL_HEAD.MLP_DIM"), 1),
    **dict.fromkeys(("TEMPORAL_HEAD.NUM_ATTENTION_HEADS", "TEMPORAL_HEAD.NUM_HIDDEN_LAYERS"), 1),
    **dict.fromkeys(("BENCHMARK.NUM_ITERS", "BENCHMARK.NUM_EPOCHS", "BENCHMARK.LOG_PERIOD"), 1),
    **dict.fromkeys(("RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP"), 1),
}

# Probabilities and decay factors: in [0, 1).
FRACTIONS = (
    "MODEL.DROPOUT_RATE",
    "SOLVER.MOMENTUM",
    "XVIT.BACKBONE.DROP_PATH_RATE",
    "XVIT.BACKBONE.DROP_ATTN_RATE",
    "TEMPORAL_HEAD.HIDDEN_DROPOUT_PROB",
    "TEMPORAL_HEAD.ATTENTION_PROBS_DROPOUT_PROB",
)

# key: (length or None for any, smallest value allowed)
NUMBERS = {
    "DATA.TRAIN_JITTER_SCALES": (2, 1),
    "DATA.MEAN": (3, -math.inf),
    "DATA.STD": (3, 0),
    "SOLVER.BETAS": (2, 0),
    "SOLVER.STEPS": (None, 0),
    "SOLVER.LRS": (None, 0),
    "XVIT.LOCATIONS_LIST": (None, 0),
}


def find_problems(cfg):
    """Everything that is wrong with the values of a cfg whose types are right.

    Returns:
        list of (key, text), the key to change and what it may be.
    """
    problems = [*_choices(cfg), *_ranges(cfg), *_lists(cfg)]
    wrong = {key for key, _ in problems}
    for needed, check in _CROSS_CHECKS:
        if wrong.isdisjoint(needed):
            problems.extend(check(cfg))
    return problems


def _choices(cfg):
    for key, allowed in CHOICES.items():
        value = get(cfg, key)
        if value not in allowed:
            yield key, f"got {value!r}, expected one of {', '.join(map(repr, allowed))}"


def _ranges(cfg):
    for key, least in AT_LEAST.items():
        value = get(cfg, key)
        if not _is_number(value) or value < least:
            yield key, f"got {value!r}, expected {least} or more"
    for key in FRACTIONS:
        value = get(cfg, key)
        if not _is_number(value) or not 0 <= value < 1:
            yield key, f"got {value!r}, expected a number in [0, 1)"
    for key in ("SOLVER.CLIP_GRAD_VAL", "SOLVER.CLIP_GRAD_L2NORM"):
        value = get(cfg, key)
        if value is not None and (not _is_number(value) or value <= 0):
            yield key, f"got {value!r}, expected a number above 0, or None for no clipping"


def _lists(cfg):
    for key, (length, least) in NUMBERS.items():
        values = get(cfg, key)
        wrong_length = values is None or (length is not None and len(values) != length)
        if wrong_length or not all(_is_number(value) and value >= least for value in values):
            count = "numbers" if length is None else f"{length} numbers"
            limit = "" if least == -math.inf else f", each {least} or more"
            yield key, f"got {values!r}, expected {count}{limit}"
    if not isinstance(cfg.PROJECTS, list) or not all(isinstance(name, str) for name in cfg.PROJECTS):
        yield "PROJECTS", f"got {cfg.PROJECTS!r}, expected a list of package names such as ['projects.cast']"


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _batch_sizes(cfg):
    for key in ("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"):
        for processes in ("NUM_GPUS", "NUM_PROCS"):
            if cfg[processes] and get(cfg, key) % cfg[processes]:
                yield (
                    key,
                    f"{get(cfg, key)} clips cannot be shared equally by {processes} {cfg[processes]} processes; "
                    f"take a multiple of {cfg[processes]}",
                )


def _shards(cfg):
    if cfg.SHARD_ID >= cfg.NUM_SHARDS:
        yield "SHARD_ID", f"got {cfg.SHARD_ID}, expected less than NUM_SHARDS {cfg.NUM_SHARDS}; it counts from 0"


def _schedule(cfg):
    solver = cfg.SOLVER
    if not cfg.TRAIN.ENABLE:
        return
    if solver.LR_POLICY == "cosine":
        if solver.COSINE_END_LR >= solver.BASE_LR:
            yield "SOLVER.COSINE_END_LR", f"{solver.COSINE_END_LR} must be below SOLVER.BASE_LR {solver.BASE_LR}"
    elif not solver.STEPS or len(solver.STEPS) != len(solver.LRS):
        yield (
            "SOLVER.STEPS",
            f"{len(solver.STEPS)} steps and {len(solver.LRS)} SOLVER.LRS; SOLVER.LR_POLICY "
            "steps_with_relative_lrs needs as many of both, at least one",
        )
    elif solver.STEPS[0] != 0 or any(a >= b for a, b in zip(solver.STEPS, solver.STEPS[1:])):
        yield "SOLVER.STEPS", f"got {solver.STEPS}, expected epochs that begin with 0 and ascend"
    if solver.WARMUP_EPOCHS >= solver.MAX_EPOCH and solver.COSINE_AFTER_WARMUP:
        yield (
            "SOLVER.WARMUP_EPOCHS",
            f"{solver.WARMUP_EPOCHS} leaves none of SOLVER.MAX_EPOCH {solver.MAX_EPOCH} epochs",
        )


def _crops(cfg):
    low, high = cfg.DATA.TRAIN_JITTER_SCALES
    if low > high:
        yield "DATA.TRAIN_JITTER_SCALES", f"got {[low, high]}, expected the smaller number first"
    elif cfg.TRAIN.ENABLE and low < cfg.DATA.TRAIN_CROP_SIZE:
        yield (
            "DATA.TRAIN_JITTER_SCALES",
            f"a short side of {low} px cannot hold a crop of DATA.TRAIN_CROP_SIZE {cfg.DATA.TRAIN_CROP_SIZE} px",
        )


def _normalisation(cfg):
    if 0 in cfg.DATA.STD:
        yield "DATA.STD", f"got {cfg.DATA.STD}, expected numbers above 0"


def _betas(cfg):
    if max(cfg.SOLVER.BETAS) >= 1:
        yield "SOLVER.BETAS", f"got {cfg.SOLVER.BETAS}, expected numbers in [0, 1)"


def _task(cfg):
    if str(cfg.TASK).startswith("ssl"):
        yield "TASK", f"'{cfg.TASK}': self-supervised tasks are not implemented here; \"\" is classification"


def _batch_norm(cfg):
    if cfg.BN.USE_PRECISE_STATS and not (_is_number(cfg.BN.NUM_BATCHES_PRECISE) and cfg.BN.NUM_BATCHES_PRECISE >= 0):
        yield "BN.NUM_BATCHES_PRECISE", f"got {cfg.BN.NUM_BATCHES_PRECISE!r}, expected 0 or more"


def _resnet(cfg):
    groups, width = cfg.RESNET.NUM_GROUPS, cfg.RESNET.WIDTH_PER_GROUP
    if width % groups:
        yield "RESNET.WIDTH_PER_GROUP", f"{width} is not a multiple of RESNET.NUM_GROUPS {groups}"


# (keys that must be right for the check to make sense, check)
_CROSS_CHECKS = (
    (("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE", "NUM_GPUS", "NUM_PROCS"), _batch_sizes),
    (("SHARD_ID", "NUM_SHARDS"), _shards),
    (
        (
            *("SOLVER.LR_POLICY", "SOLVER.BASE_LR", "SOLVER.COSINE_END_LR", "SOLVER.STEPS", "SOLVER.LRS"),
            *("SOLVER.WARMUP_EPOCHS", "SOLVER.MAX_EPOCH"),
        ),
        _schedule,
    ),
    (("DATA.TRAIN_JITTER_SCALES", "DATA.TRAIN_CROP_SIZE"), _crops),
    (("DATA.STD",), _normalisation),
    (("SOLVER.BETAS",), _betas),
    ((), _task),
    ((), _batch_norm),
    (("RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP"), _resnet),
)
