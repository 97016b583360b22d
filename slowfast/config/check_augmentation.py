"""What the keys of augmentation and mixing may be, and what they need."""

import math

from slowfast.config import derive
from slowfast.config.node import get

PROBABILITIES = (
    *("AUG.COLOR_PROB", "AUG.GREY_PROB", "AUG.RE_PROB", "DATA.RAND_CROP", "MIXUP.PROB", "MIXUP.SWITCH_PROB"),
)


def find_augmentation_problems(cfg):
    """Yields (key, text)."""
    for key in PROBABILITIES:
        if not _is_number(get(cfg, key), 0, 1):
            yield key, f"got {get(cfg, key)!r}, expected a number in [0, 1]"
    yield from _boxes(cfg.DATA)
    yield from _colours(cfg.AUG.COLOR_STRENGTHS)
    if cfg.TRAIN.ENABLE:
        yield from _named_twice(cfg)
        yield from _mixing(cfg)


def _boxes(data):
    areas, aspects = data.TRAIN_JITTER_SCALES_RELATIVE, data.TRAIN_JITTER_ASPECT_RELATIVE
    for key, pair, largest in (
        ("DATA.TRAIN_JITTER_SCALES_RELATIVE", areas, 1),
        ("DATA.TRAIN_JITTER_ASPECT_RELATIVE", aspects, math.inf),
    ):
        if pair and not (len(pair) == 2 and all(_is_positive(n, largest) for n in pair) and pair[0] <= pair[1]):
            limit = "" if largest == math.inf else f", at most {largest}"
            yield key, f"got {pair!r}, expected [] or [low, high], above 0{limit}"
    if bool(areas) != bool(aspects):
        missing = "DATA.TRAIN_JITTER_SCALES_RELATIVE" if aspects else "DATA.TRAIN_JITTER_ASPECT_RELATIVE"
        yield (
            missing,
            "got [], but boxes of random area and aspect ratio need both lists, e.g. [0.08, 1.0], [0.75, 1.33]",
        )
    parts = data.MULTI_SCALE_CROP
    if not all(_is_positive(part, 1) for part in parts):
        yield (
            "DATA.MULTI_SCALE_CROP",
            f"got {parts!r}, expected [] or numbers above 0, at most 1, e.g. [1, 0.875, 0.75]",
        )
    if areas and (parts or data.USE_XVIT_AGUMENTATION):
        key = "DATA.MULTI_SCALE_CROP" if parts else "DATA.USE_XVIT_AGUMENTATION"
        yield key, "cannot go with DATA.TRAIN_JITTER_SCALES_RELATIVE: both say which box a clip shows"


def _colours(strengths):
    if not strengths:
        return
    if len(strengths) != 4 or not all(_is_number(n, 0, math.inf) for n in strengths) or strengths[3] > 0.5:
        text = "expected [] or [brightness, contrast, saturation, hue], each 0 or more, the hue at most 0.5"
        yield "AUG.COLOR_STRENGTHS", f"got {strengths!r}, {text}"


def _named_twice(cfg):
    if cfg.AUG.ENABLE:
        for key in ("DATA.AUTOAUGMENT", "DATA.RANDAUGMENT", "DATA.RAND_CROP"):
            if get(cfg, key):
                yield (
                    key,
                    f"got {get(cfg, key)!r} beside AUG.ENABLE True, whose keys say the same; set one of them only",
                )
    if cfg.MIXUP.ENABLE and cfg.TRAIN.MIXUP_ALPHA:
        yield "TRAIN.MIXUP_ALPHA", f"got {cfg.TRAIN.MIXUP_ALPHA} beside MIXUP.ENABLE True; use MIXUP.ALPHA alone"
    smooth = cfg.MODEL.LOSS_FUNC == "smooth_cross_entropy" and cfg.MODEL.LABEL_SMOOTHING > 0
    if cfg.MIXUP.ENABLE and cfg.MIXUP.LABEL_SMOOTH_VALUE and smooth:
        text = "but MODEL.LOSS_FUNC smooth_cross_entropy smooths too; set it to 0.0, or the loss to soft_cross_entropy"
        yield "MIXUP.LABEL_SMOOTH_VALUE", f"got {cfg.MIXUP.LABEL_SMOOTH_VALUE}, {text}"


def _mixing(cfg):
    if not derive.mixes(cfg):
        return
    key = "MIXUP.ENABLE" if cfg.MIXUP.ENABLE else "TRAIN.MIXUP_ALPHA"
    if cfg.MIXUP.ENABLE and not (cfg.MIXUP.ALPHA or cfg.MIXUP.CUTMIX_ALPHA):
        yield "MIXUP.ALPHA", "got 0, as MIXUP.CUTMIX_ALPHA: nothing is mixed; set one, or MIXUP.ENABLE False"
    if derive.task_name(cfg) == "masked_pretraining":
        yield key, "cannot go with TASK masked_pretraining, which has no classes to mix"
    for name in ("NUM_GPUS", "NUM_PROCS"):
        clips, group = cfg.TRAIN.BATCH_SIZE // max(cfg[name], 1), cfg.MIXUP.GROUP_SIZE
        if group and clips % group:
            text = f"{clips} clips of each of {name} {cfg[name]} processes are no multiple of MIXUP.GROUP_SIZE {group}"
            yield "TRAIN.BATCH_SIZE", f"{text}: some would have no partner"


def _is_number(value, least, most):
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_positive(value, most):
    return _is_number(value, 0, most) and value > 0
