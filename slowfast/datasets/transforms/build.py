"""From a configuration to what happens to a clip's pixels, in the loader and on the device."""

from slowfast.config import derive
from slowfast.datasets.sampling import CENTRE
from slowfast.datasets.transforms.colours import ColourJitter
from slowfast.datasets.transforms.crops import JitteredCrop, MultiScaleCrop, ResizedCrop
from slowfast.datasets.transforms.device import ClipInput, Mixing, RandomErasing
from slowfast.datasets.transforms.normalize import Normalize
from slowfast.datasets.transforms.policies import parse_policy
from slowfast.datasets.transforms.views import CropTransform, TrainTransform

_XVIT_RANDAUGMENT = "rand-m20-n2"
_XVIT_SCALES = (1.0, 0.875, 0.75, 0.66)


def build_transforms(cfg, split, may_flip=True):
    """dict crop number -> transform, as `VideoDataset` takes them.

    Args:
        split: "train", "val" or "test".
        may_flip: False: no training clip is mirrored, whatever DATA.RANDOM_FLIP says.
    Raises: ConfigError: AUG.AA_TYPE names no policy.
    """
    data, rule = cfg.DATA, derive.crop_rule(cfg)
    if split == "train":
        flip = data.RANDOM_FLIP and may_flip
        return {CENTRE: TrainTransform(_train_crop(data), flip, _policy(cfg), _colours(cfg.AUG))}
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


def _train_crop(data):
    if data.TRAIN_JITTER_SCALES_RELATIVE:
        areas, aspects = data.TRAIN_JITTER_SCALES_RELATIVE, data.TRAIN_JITTER_ASPECT_RELATIVE
        return ResizedCrop(data.TRAIN_CROP_SIZE, tuple(areas), tuple(aspects))
    parts = data.MULTI_SCALE_CROP or (_XVIT_SCALES if data.USE_XVIT_AGUMENTATION else ())
    if parts:
        return MultiScaleCrop(data.TRAIN_CROP_SIZE, tuple(parts), data.MULTI_SCALE_PLACES)
    return JitteredCrop(tuple(data.TRAIN_JITTER_SCALES), data.TRAIN_CROP_SIZE, data.INV_UNIFORM_SAMPLE)


def _policy(cfg):
    if cfg.AUG.ENABLE:
        name = cfg.AUG.AA_TYPE
    else:
        name = "v0" if cfg.DATA.AUTOAUGMENT else _XVIT_RANDAUGMENT if cfg.DATA.RANDAUGMENT else ""
    return parse_policy(name, cfg.AUG.INTERPOLATION)


def _colours(aug):
    if not aug.ENABLE or not (aug.COLOR_STRENGTHS or aug.GREY_PROB):
        return None
    strengths = tuple(aug.COLOR_STRENGTHS) or (0.0, 0.0, 0.0, 0.0)
    return ColourJitter(strengths, aug.COLOR_PROB, aug.COLOR_PER_FRAME, aug.GREY_PROB)


def build_clip_input(cfg, device, train_task=None):
    """ClipInput for batches on a device.

    Args:
        train_task: the task, where the batches are to be trained on; None: clips are only normalised.
    """
    normalize = Normalize(cfg.DATA.MEAN, cfg.DATA.STD, reverse_channels=cfg.DATA.REVERSE_INPUT_CHANNEL).to(device)
    if train_task is None:
        return ClipInput(normalize)
    return ClipInput(
        normalize,
        _erasing(cfg),
        _mixing(cfg),
        soft_labels=getattr(train_task, "soft_labels", None),
        seed=cfg.RNG_SEED,
        repetitions=cfg.AUG.NUM_SAMPLE if cfg.AUG.ENABLE else 1,
    )


def _erasing(cfg):
    if cfg.AUG.ENABLE and cfg.AUG.RE_PROB > 0:
        return RandomErasing(cfg.AUG.RE_PROB, cfg.AUG.RE_MODE, cfg.AUG.RE_COUNT)
    return RandomErasing(cfg.DATA.RAND_CROP, "const") if cfg.DATA.RAND_CROP > 0 else None


def _mixing(cfg):
    mixup = cfg.MIXUP
    if mixup.ENABLE:
        return Mixing(
            mixup.ALPHA,
            mixup.CUTMIX_ALPHA,
            mixup.PROB,
            mixup.SWITCH_PROB,
            smoothing=mixup.LABEL_SMOOTH_VALUE,
            group_size=mixup.GROUP_SIZE,
        )
    return Mixing(cfg.TRAIN.MIXUP_ALPHA, group_size=mixup.GROUP_SIZE) if cfg.TRAIN.MIXUP_ALPHA > 0 else None


def describe_training(cfg, dataset):
    """What training draws, as words: {"frames", "pixels", "erasing", "mixing", "clips of a video"}.

    Args: dataset: the train split's VideoDataset.
    """
    return {
        "frames": repr(dataset.rule),
        "pixels": repr(dataset.transforms[CENTRE]),
        "erasing": repr(_erasing(cfg)),
        "mixing": repr(_mixing(cfg)),
        "clips of a video": dataset.num_samples,
    }
