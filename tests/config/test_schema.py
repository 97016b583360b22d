"""Keys and defaults: all of the public code's, with its types, but for the ones that this trainer changes."""

from slowfast.config import CfgNode, get_cfg, legacy, schema
from slowfast.config.check import AT_LEAST, CHOICES, FRACTIONS
from slowfast.config.check_augmentation import PROBABILITIES
from slowfast.config.node import leaves

# docs: what differs from upstream on purpose
CHANGED = {"DATA.PATH_LABEL_SEPARATOR": "auto", "TENSORBOARD.ENABLE": True}
# XViT's augmentations are on there by default; here nothing is switched on that does not exist
CHANGED_XVIT = {"DATA.RANDAUGMENT": False, "DATA.USE_XVIT_AGUMENTATION": False}


def honoured():
    cfg = CfgNode()
    schema.add_all(cfg)
    return leaves(cfg)


def check_defaults(expected):
    ours = leaves(get_cfg())
    for key, default in expected.items():
        assert key in ours, key
        assert (ours[key], type(ours[key])) == (default, type(default)), key


def test_all_upstream_keys_exist_with_upstreams_default_and_type(reference_defaults):
    upstream = reference_defaults("config_defaults.json", "keys")
    assert len(upstream) == 339
    check_defaults(upstream | CHANGED)


def test_all_keys_of_xvit_exist_with_its_default_and_type(reference_defaults):
    check_defaults(reference_defaults("xvit_config_defaults.json", "added") | CHANGED_XVIT)


def test_own_keys_are_the_documented_ones(reference_defaults):
    upstream = reference_defaults("config_defaults.json", "keys")
    xvit = reference_defaults("xvit_config_defaults.json", "added")
    assert set(leaves(get_cfg())) - set(upstream) - set(xvit) == {
        *("PROJECTS", "NUM_PROCS", "NUM_THREADS"),
        *("CHECKPOINT.KEEP_LAST", "CHECKPOINT.TRAINABLE_ONLY", "CHECKPOINT.ASYNC", "CHECKPOINT.ON_SAVE_ERROR"),
        *("DIST.TIMEOUT_SEC", "DIST.PREEMPT_DEADLINE_SEC", "DIST.COMM_HOOK", "DIST.FIND_UNUSED_PARAMETERS"),
        *("DATA_LOADER.PREFETCH_FACTOR", "SOLVER.ACCUMULATE_STEPS"),
        *("SOLVER.BASE_LR_BATCH_SIZE", "SOLVER.WARMUP_ENDS_AT_PEAK", "SOLVER.LR_DELAY_STEPS", "SOLVER.EPS"),
        "MULTIGRID.LR_BATCH_POWER",
        *("SOLVER.NO_DECAY", "SOLVER.EMA_DECAY", "SOLVER.EMA_EVALUATE"),
        *("MODEL.LABEL_SMOOTHING", "MODEL.TRAINABLE", "MODEL.FREEZE", "MODEL.COMPILE", "MODEL.HEAD_CLASSES"),
        *("TRAIN.CHECKPOINT_PERIOD_ITERS", "TRAIN.PRECISION", "TRAIN.MAX_UNREADABLE_IN_A_ROW"),
        *("TRAIN.PARALLEL", "DIST.CPU_OFFLOAD", "SOLVER.STATE_BITS"),
        "TRAIN.BALANCED_BATCH",
        *("TEST.SCORES", "TEST.ALLOW_RANDOM_WEIGHTS", "TEST.MAX_UNREADABLE", "TEST.FRAME_ORDER"),
        *("DATA.SAMPLING", "TEST.CROP_RULE"),
        *("DATA.MULTI_SCALE_CROP", "DATA.MULTI_SCALE_PLACES", "DATA.FLIP_SWAPS_LABELS", "MIXUP.GROUP_SIZE"),
        *("AUG.COLOR_STRENGTHS", "AUG.COLOR_PROB", "AUG.COLOR_PER_FRAME", "AUG.GREY_PROB"),
        *("DATA.READER", "DATA.CLASS_NAMES_PATH", "DATA.SKIP_BAD_LINES", "DATA.SPLIT_NUMBER", "DATA.VAL_FRACTION"),
        *("WEIGHTS.MIN_MATCHED", "WEIGHTS.CACHE_DIR", "WEIGHTS.TRAIN_SHA256", "WEIGHTS.TEST_SHA256"),
        *("BENCHMARK.ENABLE", "BENCHMARK.NUM_WARMUP", "BENCHMARK.NUM_ITERS"),
        *("XVIT.PATCH_SIZE", "XVIT.EMBED_DIM", "XVIT.DEPTH", "XVIT.NUM_HEADS", "XVIT.MLP_RATIO"),
        *("XVIT.NUM_TEMPORAL_EMBEDDINGS", "XVIT.PRETRAIN_IMAGE_SIZE", "XVIT.INIT_STD", "XVIT.POS_INIT_STD"),
        *("XVIT.TEMP_INIT_STD", "XVIT.FC_INIT_STD"),
        *(f"VIDEO_VIT.{key}" for key in ("SIZE", "EMBED_DIM", "DEPTH", "NUM_HEADS", "MLP_RATIO", "PATCH_SIZE")),
        *(f"VIDEO_VIT.{key}" for key in ("TUBELET_SIZE", "CLASS_TOKEN", "POOLING", "POSITIONS", "INIT_STD")),
        *(
            f"VIT_LLAMA.{key}"
            for key in ("PATH", "RANDOM", "FIRST_LAYER", "NUM_LAYERS", "LOAD_NORM", "DTYPE", "BETWEEN")
        ),
        *(f"VIT_LLAMA.{key}" for key in ("DIM", "NUM_HEADS", "NUM_KV_HEADS", "FFN_DIM", "NORM_EPS")),
        *("TRAIN.AUTO_BATCH", "TRAIN.MEMORY_LIMIT_GIB", "MODEL.ACT_CHECKPOINT_KEEP"),
        *(f"EVA_VIDEO.{key}" for key in ("SIZE", "EMBED_DIM", "DEPTH", "NUM_HEADS", "MLP_DIM", "PATCH_SIZE")),
        *(f"EVA_VIDEO.{key}" for key in ("TUBELET_SIZE", "DROP_PATH_RATE", "INIT_STD", "HEAD_INIT_SCALE")),
        *(f"EVA_VIDEO.{key}" for key in ("PRETRAIN_NUM_FRAMES", "PRETRAIN_CROP_SIZE", "INTERPOLATE")),
        *(f"WEIGHTS.CLASS_{key}_PATH" for key in ("NAMES", "ALIASES", "INDEX")),
        *(f"VIDEO_MAE.{key}" for key in ("MASK_RATIO", "NORM_PIXELS")),
        *(f"VIDEO_MAE.DECODER_{key}" for key in ("EMBED_DIM", "DEPTH", "NUM_HEADS")),
        *(f"VIDEO_VIT.{key}" for key in ("DROP_RATE", "DROP_ATTN_RATE", "DROP_PATH_RATE", "HEAD_INIT_SCALE")),
    }


def test_each_key_is_either_honoured_or_legacy():
    tables = (legacy.CHANGES_TRAINING, legacy.CHANGES_TEST, legacy.CHANGES_EVERY_JOB, legacy.NO_EFFECT)
    names = [*honoured(), *(key for table in tables for key in table)]
    assert len(names) == len(set(names)) == len(leaves(get_cfg()))
    assert set(legacy.ADVICE) <= {key for table in tables for key in table}


def test_each_honoured_number_has_a_range():
    ranged = {key for keys in AT_LEAST.values() for key in keys} | set(FRACTIONS)
    ranged |= {"SOLVER.LAYER_DECAY", "RNG_SEED"}  # in (0, 1]; any whole number
    ranged |= {"WEIGHTS.MIN_MATCHED", "DATA.SPLIT_NUMBER", "DATA.MULTI_SCALE_PLACES"}  # in [0, 1]; 1 to 3; 5 or 13
    ranged |= set(PROBABILITIES) | set(CHOICES)
    numbers = {key for key, default in honoured().items() if type(default) in (int, float)}
    assert numbers - ranged == set()


def test_each_call_gives_a_cfg_of_its_own():
    get_cfg().DATA.MEAN.append(1.0)
    get_cfg().NONLOCAL.LOCATION[0].append(1)
    assert get_cfg().DATA.MEAN == [0.45, 0.45, 0.45]
    assert get_cfg().NONLOCAL.LOCATION == [[[]], [[]], [[]], [[]]]
