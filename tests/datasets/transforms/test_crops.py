"""Random crops: against PySlowFast's own boxes (functional.json), and by hand."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from slowfast.datasets.transforms import crops, spatial


class PythonRandom:
    """Python's random module behind the two methods that a box is drawn with."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def uniform(self, low, high):
        return self.random.uniform(low, high)

    def integers(self, low, high, *, endpoint):
        assert endpoint
        return self.random.randint(low, high)


def test_random_resized_boxes_are_the_sources(reference_dir):
    sections = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())
    for case in sections["random_resized_crop_box"]["cases"]:
        box = crops.random_resized_box(case["h"], case["w"], case["scale"], case["ratio"], PythonRandom(case["seed"]))
        assert list(box) == case["i_j_h_w"], case


def test_boxes_of_random_area_and_aspect():
    rng = np.random.default_rng(0)
    boxes = np.array([crops.random_resized_box(240, 320, (0.08, 1.0), (0.75, 4 / 3), rng) for _ in range(2000)])
    y, x, height, width = boxes.T
    assert (y >= 0).all() and (x >= 0).all() and (y + height <= 240).all() and (x + width <= 320).all()
    area, aspect = height * width / (240 * 320), width / height
    assert 0.075 < area.min() < 0.1 and area.max() > 0.9 and 0.4 < area.mean() < 0.55
    assert aspect.min() < 0.78 and aspect.max() > 1.29 and abs(np.log(aspect).mean()) < 0.05


def test_a_box_that_never_fits_is_the_largest_central_one():
    """A strip of 10 x 100 px and boxes of its whole area: 4 / 3 * 10 = 13 px wide, at (100 - 13) // 2."""
    rng = np.random.default_rng(0)
    assert crops.random_resized_box(10, 100, (1.0, 1.0), (0.75, 4 / 3), rng) == (0, 43, 10, 13)
    assert crops.random_resized_box(100, 10, (1.0, 1.0), (0.75, 4 / 3), rng) == (43, 0, 13, 10)


def test_jitter_draws_scale_and_place():
    """Over many draws every short side and both ends of each range."""
    rule = crops.JitteredCrop((30, 34), crop_size=28)
    parts = [rule(40, 56, np.random.default_rng(seed)) for seed in range(400)]
    assert {part.size for part in parts} == {spatial.scaled_size(40, 56, side) for side in range(30, 35)}
    for part in parts:
        assert part.crop == 28 and 0 <= part.y <= part.size[0] - 28 and 0 <= part.x <= part.size[1] - 28
    assert {part.y for part in parts if part.size[0] == 30} == {0, 1, 2}


def test_another_crop_size_scales_the_lower_bound():
    """PySlowFast's multigrid facts: low = round(SCALES[0] * crop / default crop), high is left unchanged."""
    rule = crops.JitteredCrop((32, 36), crop_size=28)
    parts = [rule(40, 56, np.random.default_rng(seed), 14) for seed in range(300)]
    assert {part.crop for part in parts} == {14}
    assert {min(part.size) for part in parts} == set(range(16, 37))


@pytest.mark.parametrize("places", [13, 5])
def test_multi_scale_boxes(places):
    """By hand: parts of a short side of 100 px; neighbours pair up (10 pairs); rooms are cut into quarters."""
    rule = crops.MultiScaleCrop(28, (1.0, 0.875, 0.75, 0.66), places)
    boxes = [rule(100, 140, np.random.default_rng(seed)) for seed in range(4000)]
    sides = Counter((box.height, box.width) for box in boxes)
    assert set(sides) == {
        *((100, 100), (100, 87), (87, 100), (87, 87), (87, 75), (75, 87), (75, 75), (75, 66), (66, 75), (66, 66)),
    }
    assert min(sides.values()) > 300
    places_seen = Counter((box.y, box.x) for box in boxes if (box.height, box.width) == (66, 66))
    steps = {(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)}
    if places == 13:
        steps |= {(0, 2), (2, 0), (2, 4), (4, 2), (1, 1), (1, 3), (3, 1), (3, 3)}
    assert set(places_seen) == {(down * 8, across * 18) for down, across in steps}  # rooms of 34 and 74 px
    assert {box.crop for box in boxes} == {28}


def test_a_box_is_cut_and_scaled():
    """Twice as large by repeating pixels would be nearest; bilinear keeps a ramp a ramp."""
    clip = np.tile(np.arange(0, 240, 12, dtype=np.uint8)[None, None, :, None], (2, 10, 1, 3))
    out = crops.Box(2, 4, 6, 6, 12).apply(clip)
    assert out.shape == (2, 12, 12, 3)
    assert out[0, 5, :, 0].tolist() == [48, 51, 57, 63, 69, 75, 81, 87, 93, 99, 105, 108]
    assert np.array_equal(crops.Box(2, 4, 6, 6, 12).apply(clip, flip=True), out[:, :, ::-1])
    assert np.array_equal(crops.Box(2, 4, 6, 6, 6).apply(clip), clip[:, 2:8, 4:10])
    with pytest.raises(AssertionError, match="leaves"):
        crops.Box(5, 0, 6, 6, 6).apply(clip)
