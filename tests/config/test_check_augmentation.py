"""What is refused of the keys of augmentation, and what is said then."""

import pytest

from slowfast.config import load_cfg
from slowfast.utils.errors import ConfigError

GOOD = [
    *("AUG.ENABLE", True, "AUG.AA_TYPE", "rand-m7-n4-mstd0.5-inc1", "AUG.NUM_SAMPLE", 2),
    *("DATA.TRAIN_JITTER_SCALES_RELATIVE", [0.08, 1.0], "DATA.TRAIN_JITTER_ASPECT_RELATIVE", [0.75, 1.3333]),
    *("MIXUP.ENABLE", True),
]


def test_a_recipe_is_fine():
    assert load_cfg(None, GOOD).MIXUP.GROUP_SIZE == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["AUG.RE_PROB", 1.5], r"AUG.RE_PROB: got 1.5, expected a number in \[0, 1\]"),
        (["AUG.RE_MODE", "noise"], r"AUG.RE_MODE: got 'noise', expected one of 'pixel'"),
        (["AUG.NUM_SAMPLE", 0], r"AUG.NUM_SAMPLE: got 0, expected 1 or more"),
        (["DATA.TRAIN_JITTER_SCALES_RELATIVE", [0.08, 1.2]], r"SCALES_RELATIVE: got \[0.08, 1.2\], .* at most 1"),
        (["DATA.TRAIN_JITTER_SCALES_RELATIVE", [0.5, 1.0]], r"DATA.TRAIN_JITTER_ASPECT_RELATIVE: got \[\], but boxes"),
        (["DATA.TRAIN_JITTER_ASPECT_RELATIVE", [1.0, 0.5]], r"ASPECT_RELATIVE: got \[1.0, 0.5\], expected"),
        ([*GOOD, "DATA.MULTI_SCALE_CROP", [1, 0.5]], r"DATA.MULTI_SCALE_CROP: cannot go with"),
        (["DATA.MULTI_SCALE_CROP", [1, 1.5]], r"DATA.MULTI_SCALE_CROP: got \[1, 1.5\]"),
        (["AUG.COLOR_STRENGTHS", [0.4, 0.4, 0.2, 0.7]], r"AUG.COLOR_STRENGTHS: .* the hue at most 0.5"),
        (["AUG.COLOR_STRENGTHS", [0.4]], r"AUG.COLOR_STRENGTHS: got \[0.4\], expected \[\] or \[brightness"),
        (["AUG.ENABLE", True, "DATA.AUTOAUGMENT", True], r"DATA.AUTOAUGMENT: got True beside AUG.ENABLE True"),
        ([*GOOD, "TRAIN.MIXUP_ALPHA", 0.4], r"TRAIN.MIXUP_ALPHA: got 0.4 beside MIXUP.ENABLE"),
        ([*GOOD, "MODEL.LOSS_FUNC", "smooth_cross_entropy"], r"MIXUP.LABEL_SMOOTH_VALUE: got 0.1, .* smooths too"),
        ([*GOOD, "MIXUP.ALPHA", 0, "MIXUP.CUTMIX_ALPHA", 0], r"MIXUP.ALPHA: got 0, as MIXUP.CUTMIX_ALPHA"),
        ([*GOOD, "TRAIN.BATCH_SIZE", 3], r"TRAIN.BATCH_SIZE: 3 clips .* no multiple of MIXUP.GROUP_SIZE 2"),
        (["TRAIN.MIXUP_ALPHA", 0.4, "TASK", "masked_pretraining"], r"TRAIN.MIXUP_ALPHA: cannot go with TASK masked"),
    ],
)
def test_refusals(options, told):
    with pytest.raises(ConfigError, match=told):
        load_cfg(None, options)


def test_what_training_alone_needs_is_not_asked_of_a_test():
    load_cfg(None, [*GOOD, "TRAIN.BATCH_SIZE", 3, "TRAIN.ENABLE", False])
