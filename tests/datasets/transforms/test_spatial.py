"""Sizes and offsets against PySlowFast's own numbers (functional.json), pixels against torch's interpolation."""

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from slowfast.datasets.transforms import spatial


@pytest.fixture(scope="module")
def cases(reference_dir):
    sections = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())
    return lambda name: sections[name]["cases"]


def test_spatial_uniform(cases):
    for case in cases("spatial_uniform"):
        size = spatial.scaled_size(case["h"], case["w"], case["short_side"])
        assert list(size) == case["resized"], case
        for position, expected in case["offsets_y_x_and_size"].items():
            offsets = spatial.uniform_offsets(*size, case["crop"], int(position))
            assert [*offsets, case["crop"], case["crop"]] == expected, case


def test_short_side_jitter(cases):
    for case in cases("short_side_jitter"):
        side = spatial.jittered_short_side(case["min"], case["max"], case["u"], inverse=case["INV_UNIFORM_SAMPLE"])
        assert list(spatial.scaled_size(case["h"], case["w"], side)) == case["out"], case


def test_without_reference_data():
    """By hand: 7 x 9 to a short side of 5 is floor(9 * 5 / 7) = 6 wide; the middle of 6 for a crop of 3 is 2."""
    assert spatial.scaled_size(7, 9, 5) == (5, 6)
    assert spatial.scaled_size(9, 7, 5) == (6, 5)
    assert spatial.scaled_size(8, 8, 5) == (5, 5)
    assert [spatial.uniform_offsets(5, 6, 3, position) for position in range(3)] == [(1, 0), (1, 2), (1, 3)]
    assert [spatial.uniform_offsets(6, 5, 3, position) for position in range(3)] == [(0, 1), (2, 1), (3, 1)]
    assert spatial.jittered_short_side(20, 30, 0.5) == 25
    assert spatial.jittered_short_side(20, 30, 0.0, inverse=True) == 30


def test_random_offset_reaches_both_ends():
    rng = np.random.default_rng(0)
    drawn = [spatial.random_offset(9, 6, rng) for _ in range(200)]
    assert set(drawn) == {0, 1, 2, 3}
    assert {spatial.random_offset(6, 6, rng) for _ in range(9)} == {0}


@pytest.mark.parametrize("size", [(13, 19), (31, 47)])
def test_scaling_is_bilinear(size):
    """torch's bilinear interpolation, pixel centres aligned, no antialiasing; both round to bytes."""
    clip = np.random.default_rng(0).integers(0, 256, (2, 20, 29, 3), dtype=np.uint8)
    got = spatial.scale_and_crop(clip, size, 0, 0, size[0])
    tensor = torch.from_numpy(clip).permute(0, 3, 1, 2).float()
    want = interpolate(tensor, size, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)[:, :, : size[0]]
    assert np.abs(got - want.numpy()).max() <= 1.0


def test_crop_and_flip():
    clip = np.random.default_rng(0).integers(0, 256, (2, 11, 17, 3), dtype=np.uint8)
    got = spatial.scale_and_crop(clip, (11, 17), 4, 6, 5)
    assert np.array_equal(got, clip[:, 4:9, 6:11])
    flipped = spatial.scale_and_crop(clip, (11, 17), 4, 6, 5, flip=True)
    assert np.array_equal(flipped, clip[:, 4:9, 6:11][:, :, ::-1])
    assert flipped.flags.c_contiguous


def test_a_crop_never_leaves_the_picture():
    clip = np.zeros((1, 11, 17, 3), np.uint8)
    with pytest.raises(AssertionError, match="leaves"):
        spatial.scale_and_crop(clip, (11, 17), 8, 0, 5)


def test_crops_of_other_codes(reference_dir):
    """XViT's, EVA's and VideoMAE's crops of pictures whose short side is the crop's."""
    facts = json.loads((reference_dir / "parity/frame_sampling_a.json").read_text())
    for name, rule in (("xvit_three_crops", "slowfast"), ("eva_three_crops", "eva")):
        for case in facts[name]:
            got = [spatial.uniform_offsets(case["height"], case["width"], case["size"], n, 3, rule) for n in range(3)]
            assert [list(offset) for offset in got] == case["row_col"], case
    for case in facts["segment_and_dense"]:
        for view in case["views"]:
            position, crops = view["spatial_view"], case["spatial_views"]
            size = spatial.scaled_size(case["height"], case["width"], case["short_side"])
            offset = spatial.uniform_offsets(*size, case["short_side"], position, crops, "videomae")
            assert offset == (view["row"], view["col"]), case


@pytest.mark.parametrize(
    ("rule", "crops", "offsets"),
    [
        ("slowfast", 1, [6]),
        ("slowfast", 2, [0, 6]),
        ("slowfast", 3, [0, 6, 11]),
        ("slowfast", 5, [0, 2, 5, 8, 11]),
        ("videomae", 1, [5]),
        ("videomae", 2, [0, 11]),
        ("videomae", 4, [0, 3, 7, 11]),
        ("eva", 1, [5]),
        ("eva", 3, [0, 10, 5]),
        ("eva", 5, [0, 8, 2, 4, 6]),
    ],
)
def test_any_number_of_crops(rule, crops, offsets):
    """By hand, of 11 px of room; numbers of "slowfast" up to 3 are PySlowFast's own."""
    assert [spatial.crop_offset(11, position, crops, rule) for position in range(crops)] == offsets
