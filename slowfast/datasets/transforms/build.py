"""From a configuration to what happens to a clip's pixels."""

from slowfast.config import derive
from slowfast.datasets.sampling import CENTRE
from slowfast.datasets.transforms.crops import JitteredCrop
from slowfast.datasets.transforms.views import CropTransform, TrainTransform


def build_transforms(cfg, split):
    """dict crop number -> transform, as `VideoDataset` takes them, for "train", "val" or "test"."""
    if split == "train":
        return {CENTRE: _train(cfg)}
    data, rule = cfg.DATA, derive.crop_rule(cfg)
    if split == "val":
        return {CENTRE: CropTransform(data.TRAIN_JITTER_SCALES[0], data.TRAIN_CROP_SIZE)}
    crops = cfg.TEST.NUM_SPATIAL_CROPS
    if crops == 1:
        return {CENTRE: CropTransform(_single_crop_scale(cfg, rule), data.TEST_CROP_SIZE, 0, 1, rule)}
    size = data.TEST_CROP_SIZE
    return {crop: CropTransform(size, size, crop, crops, rule) for crop in range(crops)}


def _single_crop_scale(cfg, rule):
    """Short side in px: PySlowFast keeps the training scale for a single crop."""
    return cfg.DATA.TRAIN_JITTER_SCALES[0] if rule == "slowfast" else cfg.DATA.TEST_CROP_SIZE


def _train(cfg):
    data = cfg.DATA
    crop = JitteredCrop(tuple(data.TRAIN_JITTER_SCALES), data.TRAIN_CROP_SIZE, data.INV_UNIFORM_SAMPLE)
    return TrainTransform(crop, data.RANDOM_FLIP)
