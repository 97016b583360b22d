"""What a value may be beyond its type, and which keys must fit each other."""

import math
import re

from slowfast.config import schema
from slowfast.config.check_augmentation import find_augmentation_problems
from slowfast.config.check_multigrid import find_multigrid_problems
from slowfast.config.derive import precision, reader_kind
from slowfast.config.node import CfgNode, get, leaves

CHOICES = {
    "DIST_BACKEND": ("nccl", "gloo"),
    "DIST.COMM_HOOK": ("", "bf16"),
    "BN.NORM_TYPE": ("batchnorm", "sub_batchnorm", "sync_batchnorm"),
    "CHECKPOINT.ON_SAVE_ERROR": ("stop", "warn"),
    "TRAIN.PRECISION": ("", "fp32", "bf16", "fp16"),
    "TRAIN.PARALLEL": ("ddp", "fsdp"),
    "TRAIN.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.SCORES": ("softmax", "logits"),
    "TEST.FRAME_ORDER": ("forward", "reversed", "shuffled"),
    "TEST.CROP_RULE": ("auto", "slowfast", "videomae", "eva"),
    "DATA.READER": ("auto", "pyav", "torchcodec", "frames", "hdf5"),
    "DATA.SAMPLING": (
        *("auto", "slowfast", "slowfast_segments", "charades", "videomae_dense", "videomae_segments", "eva"),
    ),
    "DATA.MULTI_SCALE_PLACES": (5, 13),
    "DATA.SPLIT_NUMBER": (1, 2, 3),
    "DATA.DECODING_BACKEND": ("torchvision", "pyav", "decord"),
    "DATA.PATH_LABEL_SEPARATOR": ("auto", " ", ",", "\t"),
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "AUG.INTERPOLATION": ("bicubic", "bilinear"),
    "AUG.RE_MODE": ("pixel", "rand", "const"),
    "SOLVER.OPTIMIZING_METHOD": ("sgd", "adam", "adamw"),
    "SOLVER.STATE_BITS": (32, 8),
    "SOLVER.LR_POLICY": ("cosine", "steps_with_relative_lrs"),
    "VIDEO_VIT.SIZE": ("small", "base", "large", "huge"),
    "VIDEO_VIT.POOLING": ("mean", "token"),
    "VIDEO_VIT.POSITIONS": ("sincos", "learnt"),
    "EVA_VIDEO.SIZE": ("small", "base", "large", "giant"),
    "VIT_LLAMA.BETWEEN": ("llama", "mlp"),
    "VIT_LLAMA.DTYPE": ("fp32", "bf16", "int8"),
    "XVIT.CONSENSUS_TYPE": ("vit", "avg"),
}

# smallest value allowed: keys
AT_LEAST = {
    0: (
        *("NUM_GPUS", "SHARD_ID", "TRAIN.CHECKPOINT_PERIOD_ITERS", "TEST.MAX_UNREADABLE", "CHECKPOINT.KEEP_LAST"),
        *("NUM_THREADS", "DATA_LOADER.NUM_WORKERS", "BENCHMARK.NUM_WARMUP"),
        *("MIXUP.ALPHA", "MIXUP.CUTMIX_ALPHA", "MIXUP.GROUP_SIZE", "TRAIN.MIXUP_ALPHA"),
        *("SOLVER.GAMMA", "MULTIGRID.EPOCH_FACTOR", "MULTIGRID.LR_BATCH_POWER"),
        *("XVIT.INIT_STD", "XVIT.POS_INIT_STD", "XVIT.TEMP_INIT_STD", "XVIT.FC_INIT_STD"),
        *("SOLVER.BASE_LR", "SOLVER.COSINE_END_LR", "SOLVER.WARMUP_START_LR", "SOLVER.WARMUP_EPOCHS"),
        *("SOLVER.BASE_LR_BATCH_SIZE", "SOLVER.LR_DELAY_STEPS", "SOLVER.EPS", "TRAIN.MEMORY_LIMIT_GIB"),
        *("SOLVER.WEIGHT_DECAY", "BN.WEIGHT_DECAY", "SOLVER.DAMPENING"),
        *("XVIT.PATCH_SIZE", "XVIT.EMBED_DIM", "XVIT.DEPTH", "XVIT.NUM_HEADS", "XVIT.MLP_RATIO"),
        *("VIDEO_VIT.EMBED_DIM", "VIDEO_VIT.DEPTH", "VIDEO_VIT.NUM_HEADS"),
        *("VIDEO_VIT.INIT_STD", "VIDEO_VIT.HEAD_INIT_SCALE"),
        *("EVA_VIDEO.EMBED_DIM", "EVA_VIDEO.DEPTH", "EVA_VIDEO.NUM_HEADS", "EVA_VIDEO.MLP_DIM"),
        *("EVA_VIDEO.INIT_STD", "EVA_VIDEO.HEAD_INIT_SCALE", "EVA_VIDEO.PRETRAIN_NUM_FRAMES"),
        "EVA_VIDEO.PRETRAIN_CROP_SIZE",
        *("VIT_LLAMA.FIRST_LAYER", "VIT_LLAMA.NUM_KV_HEADS", "VIT_LLAMA.NORM_EPS"),
        *("VIDEO_MAE.DECODER_EMBED_DIM", "VIDEO_MAE.DECODER_DEPTH", "VIDEO_MAE.DECODER_NUM_HEADS"),
    ),
    1: (
        *("NUM_PROCS", "NUM_SHARDS", "LOG_PERIOD"),
        *("DIST.TIMEOUT_SEC", "DIST.PREEMPT_DEADLINE_SEC", "BN.NUM_SYNC_DEVICES", "BN.NUM_SPLITS"),
        *("MULTIGRID.EVAL_FREQ", "MULTIGRID.BN_BASE_SIZE"),
        *("TRAIN.BATCH_SIZE", "TRAIN.EVAL_PERIOD", "TRAIN.CHECKPOINT_PERIOD", "TRAIN.MAX_UNREADABLE_IN_A_ROW"),
        *("TEST.BATCH_SIZE", "TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS"),
        *("DATA.NUM_FRAMES", "DATA.SAMPLING_RATE", "DATA.TARGET_FPS", "DATA.TRAIN_CROP_SIZE", "DATA.TEST_CROP_SIZE"),
        *("AUG.RE_COUNT", "AUG.NUM_SAMPLE"),
        *("DATA_LOADER.PREFETCH_FACTOR", "MODEL.NUM_CLASSES", "SOLVER.MAX_EPOCH", "SOLVER.ACCUMULATE_STEPS"),
        *("XVIT.NUM_SEGMENTS", "XVIT.SHIFT_DIV", "XVIT.NUM_TEMPORAL_EMBEDDINGS", "XVIT.PRETRAIN_IMAGE_SIZE"),
        *("VIDEO_VIT.PATCH_SIZE", "VIDEO_VIT.TUBELET_SIZE", "VIDEO_VIT.MLP_RATIO"),
        *("EVA_VIDEO.PATCH_SIZE", "EVA_VIDEO.TUBELET_SIZE"),
        *("VIT_LLAMA.NUM_LAYERS", "VIT_LLAMA.DIM", "VIT_LLAMA.NUM_HEADS", "VIT_LLAMA.FFN_DIM"),
        *("TEMPORAL_HEAD.HIDDEN_DIM", "TEMPORAL_HEAD.MLP_DIM"),
        *("TEMPORAL_HEAD.NUM_ATTENTION_HEADS", "TEMPORAL_HEAD.NUM_HIDDEN_LAYERS"),
        "BENCHMARK.NUM_ITERS",
        *("RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP"),
    ),
}

# Probabilities and decay factors: in [0, 1).
FRACTIONS = (
    "DATA.VAL_FRACTION",
    *("MODEL.DROPOUT_RATE", "MODEL.LABEL_SMOOTHING", "SOLVER.MOMENTUM", "SOLVER.EMA_DECAY"),
    *("XVIT.BACKBONE.DROP_PATH_RATE", "XVIT.BACKBONE.DROP_ATTN_RATE"),
    *("TEMPORAL_HEAD.HIDDEN_DROPOUT_PROB", "TEMPORAL_HEAD.ATTENTION_PROBS_DROPOUT_PROB"),
    "VIDEO_MAE.MASK_RATIO",
    *("VIDEO_VIT.DROP_RATE", "VIDEO_VIT.DROP_ATTN_RATE", "VIDEO_VIT.DROP_PATH_RATE"),
    "EVA_VIDEO.DROP_PATH_RATE",
    "MIXUP.LABEL_SMOOTH_VALUE",
)

# Lists of numbers; key: (length or None for any, smallest value allowed)
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
        list of (key, text): the key to change, what it is and what it may be. At most one of each key.
    """
    problems = {}
    for needed, check in _CHECKS:
        if problems.keys().isdisjoint(needed):
            for key, text in check(cfg):
                problems.setdefault(key, text)
    return list(problems.items())


def find_remarks(cfg):
    """list of (key, text): values that are right but mean something else here than upstream."""
    backend = cfg.DATA.DECODING_BACKEND
    if backend == "torchvision":  # the default, which nobody chose
        return []
    text = f"'{backend}' is upstream's name for DATA.READER; videos are read by DATA.READER '{reader_kind(cfg)}'"
    return [("DATA.DECODING_BACKEND", text)]


def _missing(cfg):
    """None passes every type check, but the honoured keys mean something only with a value."""
    defaults = CfgNode()
    schema.add_all(defaults)
    for key, default in leaves(defaults).items():
        if default is not None and get(cfg, key) is None:
            yield key, f"got None, expected {type(default).__name__} like {default!r}"


def _choices(cfg):
    for key, allowed in CHOICES.items():
        value = get(cfg, key)
        if value not in allowed:
            yield key, f"got {value!r}, expected one of {', '.join(map(repr, allowed))}"


def _ranges(cfg):
    for least, keys in AT_LEAST.items():
        for key in keys:
            value = get(cfg, key)
            if not _is_number(value) or value < least:
                yield key, f"got {value!r}, expected {least} or more"
    for key in FRACTIONS:
        value = get(cfg, key)
        if not _is_number(value) or not 0 <= value < 1:
            yield key, f"got {value!r}, expected a number in [0, 1)"
    decay = cfg.SOLVER.LAYER_DECAY
    if not _is_number(decay) or not 0 < decay <= 1:
        yield "SOLVER.LAYER_DECAY", f"got {decay!r}, expected a number above 0, at most 1 (no decay)"
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


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _balanced_batch(cfg):
    balanced = cfg.TRAIN.BALANCED_BATCH
    whole = [isinstance(number, int) and not isinstance(number, bool) and number >= 1 for number in balanced]
    if len(balanced) not in (0, 2) or not all(whole):
        yield "TRAIN.BALANCED_BATCH", f"got {balanced!r}, expected [classes, clips of each], or [] for any clips"
    elif balanced and (cfg.MULTIGRID.LONG_CYCLE or cfg.MULTIGRID.SHORT_CYCLE):
        yield "TRAIN.BALANCED_BATCH", f"got {balanced!r} with MULTIGRID, whose batches change; switch one of them off"


def _batch_sizes(cfg):
    for key in ("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"):
        for name in ("NUM_GPUS", "NUM_PROCS"):
            if cfg[name] and get(cfg, key) % cfg[name]:
                text = f"{get(cfg, key)} clips cannot be shared equally by {name} {cfg[name]} processes"
                yield key, f"{text}; take a multiple of {cfg[name]}"


def _shards(cfg):
    if cfg.SHARD_ID >= cfg.NUM_SHARDS:
        yield "SHARD_ID", f"got {cfg.SHARD_ID}, expected less than NUM_SHARDS {cfg.NUM_SHARDS}; it counts from 0"


def _lr_scaling(cfg):
    solver = cfg.SOLVER
    if solver.BASE_LR_BATCH_SIZE and solver.BASE_LR_SCALE_NUM_SHARDS:
        text = "scales the learning rate already, machines included; set SOLVER.BASE_LR_SCALE_NUM_SHARDS False"
        yield "SOLVER.BASE_LR_BATCH_SIZE", text


def _parallel(cfg):
    if cfg.TRAIN.PARALLEL == "fsdp":
        if cfg.DIST.COMM_HOOK:
            text = f"got '{cfg.DIST.COMM_HOOK}', but TRAIN.PARALLEL fsdp averages in float32; set it ''"
            yield "DIST.COMM_HOOK", text
        if cfg.MODEL.COMPILE:
            yield "MODEL.COMPILE", "got True, which TRAIN.PARALLEL fsdp does not go with; set it False"
        if cfg.DIST.CPU_OFFLOAD and precision(cfg) == "fp16":
            text = "got True, but the gradient scaler of fp16 works on the GPU; set TRAIN.PRECISION bf16"
            yield "DIST.CPU_OFFLOAD", text
    elif cfg.DIST.CPU_OFFLOAD:
        yield "DIST.CPU_OFFLOAD", f"got True, but TRAIN.PARALLEL is {cfg.TRAIN.PARALLEL}; set it False or take fsdp"


def _name_lists(cfg):
    for key in ("PROJECTS", "MODEL.FREEZE", "MODEL.TRAINABLE", "SOLVER.NO_DECAY"):
        names = get(cfg, key)
        if not all(isinstance(name, str) and name for name in names):
            example = "package names such as ['projects.cast']" if key == "PROJECTS" else "names such as ['blocks.0']"
            yield key, f"got {names!r}, expected {example}"


def _kept_activations(cfg):
    kept, known = cfg.MODEL.ACT_CHECKPOINT_KEEP, ("attention", "linear")
    if not set(kept) <= set(known):
        yield "MODEL.ACT_CHECKPOINT_KEEP", f"got {kept!r}, expected a list of {', '.join(known)}"
    elif kept and not cfg.MODEL.ACT_CHECKPOINT:
        yield "MODEL.ACT_CHECKPOINT_KEEP", f"got {kept!r} without MODEL.ACT_CHECKPOINT, which is False; set it True"


def _cosine(cfg):
    solver = cfg.SOLVER
    if not cfg.TRAIN.ENABLE or solver.LR_POLICY != "cosine":
        return
    if solver.COSINE_END_LR >= solver.BASE_LR:
        yield "SOLVER.COSINE_END_LR", f"got {solver.COSINE_END_LR}, expected less than SOLVER.BASE_LR {solver.BASE_LR}"
    if solver.COSINE_AFTER_WARMUP and solver.WARMUP_EPOCHS >= solver.MAX_EPOCH:
        text = f"got {solver.WARMUP_EPOCHS}, expected less than SOLVER.MAX_EPOCH {solver.MAX_EPOCH}"
        yield "SOLVER.WARMUP_EPOCHS", f"{text}, as SOLVER.COSINE_AFTER_WARMUP starts there"


def _steps(cfg):
    solver = cfg.SOLVER
    if not cfg.TRAIN.ENABLE or solver.LR_POLICY != "steps_with_relative_lrs" or cfg.MULTIGRID.LONG_CYCLE:
        return
    if not solver.STEPS or solver.STEPS[0] != 0 or any(a >= b for a, b in zip(solver.STEPS, solver.STEPS[1:])):
        yield "SOLVER.STEPS", f"got {solver.STEPS}, expected epochs that begin with 0 and ascend"
    elif len(solver.STEPS) != len(solver.LRS):
        text = f"got {len(solver.LRS)} factors, expected one for each of the {len(solver.STEPS)} SOLVER.STEPS"
        yield "SOLVER.LRS", text


def _crops(cfg):
    low, high = cfg.DATA.TRAIN_JITTER_SCALES
    if low > high:
        yield "DATA.TRAIN_JITTER_SCALES", f"got {[low, high]}, expected the smaller number first"
    elif cfg.TRAIN.ENABLE and low < cfg.DATA.TRAIN_CROP_SIZE:
        text = f"a short side of {low} px cannot hold a crop of DATA.TRAIN_CROP_SIZE {cfg.DATA.TRAIN_CROP_SIZE} px"
        yield "DATA.TRAIN_JITTER_SCALES", text


def _normalisation(cfg):
    if 0 in cfg.DATA.STD:
        yield "DATA.STD", f"got {cfg.DATA.STD}, expected numbers above 0"


def _state_bits(cfg):
    if cfg.SOLVER.STATE_BITS == 8 and cfg.SOLVER.OPTIMIZING_METHOD == "sgd":
        yield "SOLVER.STATE_BITS", "got 8, but SOLVER.OPTIMIZING_METHOD sgd keeps 32; set it 32, or take adamw"
    if cfg.SOLVER.STATE_BITS == 8 and cfg.TRAIN.PARALLEL == "fsdp":
        yield "SOLVER.STATE_BITS", "got 8, which TRAIN.PARALLEL fsdp does not go with; set it 32, or take ddp"


def _betas(cfg):
    if max(cfg.SOLVER.BETAS) >= 1:
        yield "SOLVER.BETAS", f"got {cfg.SOLVER.BETAS}, expected numbers in [0, 1)"


def _task(cfg):
    if cfg.TASK.startswith("ssl"):
        text = "but upstream's self-supervised tasks are not implemented here; '' is classification"
        yield "TASK", f"got '{cfg.TASK}', {text}, masked_pretraining is VideoMAE's"
    elif cfg.TASK == "masked_pretraining" and cfg.TEST.ENABLE:
        yield "TEST.ENABLE", "got True, but TASK masked_pretraining has no classes to test; set it False"


def _batch_norm(cfg):
    batches = cfg.BN.NUM_BATCHES_PRECISE
    if cfg.BN.USE_PRECISE_STATS and not (_is_number(batches) and batches >= 0):
        yield "BN.NUM_BATCHES_PRECISE", f"got {batches!r}, expected 0 or more"


def _resnet(cfg):
    groups, width = cfg.RESNET.NUM_GROUPS, cfg.RESNET.WIDTH_PER_GROUP
    if width % groups:
        yield "RESNET.WIDTH_PER_GROUP", f"got {width}, expected a multiple of RESNET.NUM_GROUPS {groups}"


def _weights(cfg):
    matched = cfg.WEIGHTS.MIN_MATCHED
    if not _is_number(matched) or not 0 <= matched <= 1:
        yield "WEIGHTS.MIN_MATCHED", f"got {matched!r}, expected a number in [0, 1]"
    for key in ("WEIGHTS.TRAIN_SHA256", "WEIGHTS.TEST_SHA256"):
        if not re.fullmatch("([0-9a-fA-F]{64})?", get(cfg, key)):
            yield key, f"got {get(cfg, key)!r}, expected the 64 hex digits that sha256sum prints, or '' for any file"


# (keys that must have passed the checks before for this one to make sense, check)
_CHECKS = (
    ((), _missing),
    ((), _choices),
    ((), _ranges),
    ((), _lists),
    (("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE", "NUM_GPUS", "NUM_PROCS"), _batch_sizes),
    (("TRAIN.BALANCED_BATCH",), _balanced_batch),
    (("SHARD_ID", "NUM_SHARDS"), _shards),
    (("SOLVER.BASE_LR", "SOLVER.COSINE_END_LR", "SOLVER.WARMUP_EPOCHS", "SOLVER.MAX_EPOCH"), _cosine),
    (("SOLVER.STEPS", "SOLVER.LRS"), _steps),
    (("SOLVER.STEPS", "SOLVER.MAX_EPOCH", "SOLVER.LR_DELAY_STEPS", "MULTIGRID.EPOCH_FACTOR"), find_multigrid_problems),
    (("DATA.TRAIN_JITTER_SCALES", "DATA.TRAIN_CROP_SIZE"), _crops),
    (("TRAIN.BATCH_SIZE", "NUM_GPUS", "NUM_PROCS", "MIXUP.GROUP_SIZE"), find_augmentation_problems),
    ((), _kept_activations),
    (("TRAIN.PARALLEL", "TRAIN.PRECISION"), _parallel),
    (("DATA.STD",), _normalisation),
    (("SOLVER.BETAS",), _betas),
    (("SOLVER.STATE_BITS", "SOLVER.OPTIMIZING_METHOD", "TRAIN.PARALLEL"), _state_bits),
    (("TASK",), _task),
    (("PROJECTS", "MODEL.FREEZE", "MODEL.TRAINABLE", "SOLVER.NO_DECAY"), _name_lists),
    (("SOLVER.BASE_LR_BATCH_SIZE",), _lr_scaling),
    (("WEIGHTS.TRAIN_SHA256", "WEIGHTS.TEST_SHA256"), _weights),
    ((), _batch_norm),
    (("RESNET.NUM_GROUPS", "RESNET.WIDTH_PER_GROUP"), _resnet),
)
