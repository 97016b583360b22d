"""What several tests of YAMLs ask of published recipes (recipes.json)."""

import torch

from slowfast.config import derive
from slowfast.datasets.transforms.build import build_clip_input, build_transforms
from slowfast.datasets.transforms.device import RandomErasing
from slowfast.datasets.transforms.operations import FILL
from slowfast.tasks import build_task


def check_augmentation(cfg, published):
    """Policy, boxes, erasing and mixing, as they are built, against a recipe of VideoMAE or of what was built on it."""
    transform, done = build_transforms(cfg, "train")[1], build_clip_input(cfg, torch.device("cpu"), build_task(cfg))
    policy, boxes = published["augmentation"]["randaugment"], published["augmentation"]["random_resized_crop"]
    assert cfg.AUG.AA_TYPE == policy["string"]
    assert transform.policy.num_operations == policy["operations_per_clip"]
    assert transform.policy.probability == policy["each_applied_with_probability"]
    assert (transform.policy.magnitude, transform.policy.deviation, transform.policy.increasing) == (7, 0.5, True)
    assert (transform.policy.interpolation, list(FILL)) == (policy["interpolation"], policy["fill"])
    crop = transform.crop
    assert (list(crop.areas), list(crop.aspects)) == (boxes["area"], boxes["aspect"])
    assert crop.crop_size == 224 and transform.colours is None
    erasing, mixing = published["random_erasing"], published["mixing"]
    if erasing:
        assert done.erasing == RandomErasing(erasing["probability"], "pixel", erasing["count"])
    else:
        assert done.erasing is None
    share = mixing.get("probability", published.get("mixing_probability"))
    assert (done.mixing.mixup_alpha, done.mixing.cutmix_alpha) == (mixing["mixup_alpha"], mixing["cutmix_alpha"])
    assert (done.mixing.probability, done.mixing.switch_probability) == (
        share,
        mixing["switch_to_cutmix_probability"],
    )
    assert done.mixing.smoothing == derive.label_smoothing(cfg) == mixing["label_smoothing"]
    assert cfg.MODEL.LOSS_FUNC == "soft_cross_entropy"
