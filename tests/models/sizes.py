"""A small size of every registered model, for the tests that run over the registry."""

from slowfast.config import get_cfg
from slowfast.config.projects import import_modules

SMALL = {
    "XViT": {
        "DATA.NUM_FRAMES": 6,
        "DATA.TRAIN_CROP_SIZE": 24,
        "DATA.TEST_CROP_SIZE": 24,
        "XVIT.PATCH_SIZE": 8,
        "XVIT.EMBED_DIM": 20,
        "XVIT.DEPTH": 2,
        "XVIT.NUM_HEADS": 4,
        "XVIT.LOCATIONS_LIST": [0, 1],
        "XVIT.NUM_SEGMENTS": 3,
        "XVIT.NUM_TEMPORAL_EMBEDDINGS": 2,
        "XVIT.PRETRAIN_IMAGE_SIZE": 16,
        "TEMPORAL_HEAD.HIDDEN_DIM": 20,
        "TEMPORAL_HEAD.MLP_DIM": 28,
        "TEMPORAL_HEAD.NUM_ATTENTION_HEADS": 5,
    },
    "VideoViT": {
        "DATA.NUM_FRAMES": 6,
        "DATA.TRAIN_CROP_SIZE": 24,
        "DATA.TEST_CROP_SIZE": 32,
        "VIDEO_VIT.PATCH_SIZE": 8,
        "VIDEO_VIT.TUBELET_SIZE": 2,
        "VIDEO_VIT.EMBED_DIM": 20,
        "VIDEO_VIT.DEPTH": 2,
        "VIDEO_VIT.NUM_HEADS": 4,
        "VIDEO_VIT.HEAD_INIT_SCALE": 1.0,
    },
    "ViTLLaMA": {
        "DATA.NUM_FRAMES": 6,
        "DATA.TRAIN_CROP_SIZE": 24,
        "DATA.TEST_CROP_SIZE": 32,
        "VIDEO_VIT.PATCH_SIZE": 8,
        "VIDEO_VIT.TUBELET_SIZE": 2,
        "VIDEO_VIT.EMBED_DIM": 20,
        "VIDEO_VIT.DEPTH": 2,
        "VIDEO_VIT.NUM_HEADS": 4,
        "VIDEO_VIT.HEAD_INIT_SCALE": 1.0,
        "VIT_LLAMA.NUM_LAYERS": 2,
        "VIT_LLAMA.DIM": 48,
        "VIT_LLAMA.NUM_HEADS": 6,
        "VIT_LLAMA.NUM_KV_HEADS": 2,
        "VIT_LLAMA.FFN_DIM": 56,
    },
    "EVAVideo": {
        "DATA.NUM_FRAMES": 6,
        "DATA.TRAIN_CROP_SIZE": 24,
        "DATA.TEST_CROP_SIZE": 32,
        "EVA_VIDEO.PATCH_SIZE": 8,
        "EVA_VIDEO.TUBELET_SIZE": 2,
        "EVA_VIDEO.EMBED_DIM": 20,
        "EVA_VIDEO.DEPTH": 2,
        "EVA_VIDEO.NUM_HEADS": 4,
        "EVA_VIDEO.MLP_DIM": 44,
        "EVA_VIDEO.HEAD_INIT_SCALE": 1.0,
    },
    "VideoMAE": {
        "TASK": "masked_pretraining",
        "DATA.NUM_FRAMES": 6,
        "DATA.TRAIN_CROP_SIZE": 24,
        "DATA.TEST_CROP_SIZE": 32,
        "VIDEO_VIT.PATCH_SIZE": 8,
        "VIDEO_VIT.TUBELET_SIZE": 2,
        "VIDEO_VIT.EMBED_DIM": 20,
        "VIDEO_VIT.DEPTH": 2,
        "VIDEO_VIT.NUM_HEADS": 4,
        "VIDEO_MAE.MASK_RATIO": 0.7,
        "VIDEO_MAE.DECODER_EMBED_DIM": 12,
        "VIDEO_MAE.DECODER_DEPTH": 1,
    },
}
NUM_CLASSES = 7
OUTPUTS = {"VideoMAE": (3 * 6, 2 * 8 * 8 * 3)}  # of a clip: 6 of 9 patches at 3 time steps, and their pixels


def small_cfg(name, **overrides):
    """Config of the small model `name`; further keys as SECTION__KEY=value."""
    assert name in SMALL, f"give {name} a small size in {__file__}, so that it is tested"
    keys = {"MODEL.MODEL_NAME": name, "MODEL.NUM_CLASSES": NUM_CLASSES, **SMALL[name]}
    keys |= {key.replace("__", "."): value for key, value in overrides.items()}
    cfg = get_cfg()
    for project in import_modules(keys.get("PROJECTS", [])):
        project.add_config(cfg)
    cfg.merge_from_list([word for pair in keys.items() for word in pair])
    return cfg


def output_of(name):
    """Shape of what the small model `name` gives for one clip."""
    return OUTPUTS.get(name, (NUM_CLASSES,))


def clip_for(cfg, batch=2):
    """Shape (B, C, T, H, W) of a batch that the model of `cfg` takes."""
    data = cfg.DATA
    return batch, data.INPUT_CHANNEL_NUM[0], data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE
