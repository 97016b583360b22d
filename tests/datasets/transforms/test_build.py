"""From keys to transforms."""

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.datasets.transforms.build import build_clip_input, build_transforms
from slowfast.datasets.transforms.colours import ColourJitter
from slowfast.datasets.transforms.crops import JitteredCrop, MultiScaleCrop, ResizedCrop
from slowfast.datasets.transforms.device import Mixing, RandomErasing
from slowfast.datasets.transforms.policies import AutoAugment, RandAugment
from slowfast.datasets.transforms.views import CropTransform, TrainTransform
from slowfast.tasks import build_task

CPU = torch.device("cpu")


def train(*options, **settings):
    return build_transforms(load_cfg(None, options), "train", **settings)[1]


def on_device(*options):
    cfg = load_cfg(None, options)
    return build_clip_input(cfg, CPU, build_task(cfg))


def test_nothing_is_drawn_by_default_but_scale_place_and_flip():
    assert train() == TrainTransform(JitteredCrop((256, 320), 224), flip=True)
    assert not train(may_flip=False).flip
    done = on_device()
    assert done.erasing is done.mixing is None and done.repetitions == 1


def test_upstreams_keys():
    found = train(
        *("AUG.ENABLE", True, "DATA.TRAIN_JITTER_SCALES_RELATIVE", [0.08, 1.0]),
        *("DATA.TRAIN_JITTER_ASPECT_RELATIVE", [0.75, 1.3333]),
    )
    assert found.crop == ResizedCrop(224, (0.08, 1.0), (0.75, 1.3333)) and found.colours is None
    assert found.policy == RandAugment(9, 0.5, 2, increasing=True)
    done = on_device("AUG.ENABLE", True, "AUG.NUM_SAMPLE", 2, "MIXUP.ENABLE", True, "RNG_SEED", 7)
    assert done.erasing == RandomErasing(0.25) and (done.repetitions, done.seed) == (2, 7)
    assert done.mixing == Mixing(0.8, 1.0, 1.0, 0.5, smoothing=0.1)


def test_xvits_keys():
    found = train("DATA.AUTOAUGMENT", True, "DATA.RANDAUGMENT", True, "DATA.USE_XVIT_AGUMENTATION", True)
    assert found.crop == MultiScaleCrop(224, (1.0, 0.875, 0.75, 0.66)) and found.policy == AutoAugment()
    assert train("DATA.RANDAUGMENT", True).policy == RandAugment(20)
    done = on_device("TRAIN.MIXUP_ALPHA", 0.4, "DATA.RAND_CROP", 0.5)
    assert done.mixing == Mixing(0.4) and done.erasing == RandomErasing(0.5, "const")


def test_evas_colours():
    options = ["AUG.COLOR_STRENGTHS", [0.4, 0.4, 0.2, 0.1], "AUG.COLOR_PER_FRAME", True, "AUG.GREY_PROB", 0.2]
    assert train(*options).colours is None  # AUG.ENABLE is their switch
    found = train("AUG.ENABLE", True, "AUG.AA_TYPE", "", "DATA.MULTI_SCALE_CROP", [1, 0.5], *options)
    assert found.colours == ColourJitter((0.4, 0.4, 0.2, 0.1), 0.8, True, 0.2) and found.policy is None
    assert found.crop == MultiScaleCrop(224, (1, 0.5))


@pytest.mark.parametrize("sampling", ["videomae_dense", "eva", "slowfast_segments"])
def test_crops_follow_the_source_of_the_frames(sampling):
    cfg = load_cfg(None, ["DATA.SAMPLING", sampling, "TEST.NUM_SPATIAL_CROPS", 3])
    rule = "slowfast" if sampling.startswith("slowfast") else sampling.split("_")[0]
    assert build_transforms(cfg, "test") == {n: CropTransform(256, 256, n, 3, rule) for n in range(3)}
    cfg = load_cfg(None, ["DATA.SAMPLING", sampling, "TEST.NUM_SPATIAL_CROPS", 1, "TEST.CROP_RULE", "videomae"])
    assert build_transforms(cfg, "test") == {1: CropTransform(256, 256, 0, 1, "videomae")}
    assert on_device().mixing is None


def test_evaluation_draws_nothing():
    cfg = load_cfg(None, ["AUG.ENABLE", True, "MIXUP.ENABLE", True])
    assert isinstance(build_transforms(cfg, "val")[1], CropTransform)
    done = build_clip_input(cfg, CPU)
    assert done.erasing is done.mixing is None
