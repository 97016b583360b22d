"""Which operations are drawn and how strong, by hand from the recipes' words."""

from collections import Counter

import numpy as np
import pytest

from slowfast.datasets.transforms import policies
from slowfast.datasets.transforms.policies import AutoAugment, RandAugment, amount_of, parse_policy
from slowfast.utils.errors import ConfigError


@pytest.fixture
def asked(monkeypatch):
    """(name, amount) of the operations that a policy asks for; none of them is done."""
    log = []

    def record(name):
        return lambda clip, amount, interpolation: log.append((name, amount, interpolation)) or clip

    names = {*policies.RAND_OPERATIONS, "TranslateX", "TranslateY"}
    monkeypatch.setattr(policies, "OPERATIONS", {name: record(name) for name in names})
    return log


def test_magnitude_strings():
    assert parse_policy("rand-m7-n4-mstd0.5-inc1", "bicubic") == RandAugment(7, 0.5, 4, increasing=True)
    assert parse_policy("rand-m20-n2", "bilinear") == RandAugment(20, interpolation="bilinear")
    assert parse_policy("rand", "bicubic") == RandAugment(9.0) and parse_policy("", "bicubic") is None
    assert parse_policy("v0", "bicubic") == AutoAugment()
    for text in ("rand-m7-x3", "rand-m", "augmix-m3", "rand-m7-m8", "rand-p2", "v1"):
        with pytest.raises(ConfigError, match=f"AUG.AA_TYPE: got '{text}', expected"):
            parse_policy(text, "bicubic")


def test_operations_of_the_recipe(asked):
    """rand-m7-n4-mstd0.5-inc1: of 4 drawn with replacement each is applied half of the time, all 15 alike."""
    policy, counts = parse_policy("rand-m7-n4-mstd0.5-inc1", "bicubic"), []
    for seed in range(3000):
        before = len(asked)
        _, told = policy(None, np.random.default_rng(seed))
        counts.append(len(asked) - before)
        assert len(told) == counts[-1]
    assert (
        np.mean(counts) == pytest.approx(2.0, abs=0.08) and max(counts) == 4 and np.var(counts) == pytest.approx(1, 0.1)
    )
    names = Counter(name for name, *_ in asked)
    assert len(names) == 15 and all(abs(count - 400) < 90 for count in names.values())
    angles = np.array([amount for name, amount, _ in asked if name == "Rotate"])
    assert np.abs(angles).mean() == pytest.approx(21, abs=0.4) and np.abs(angles).std() == pytest.approx(1.5, abs=0.3)
    assert 0.4 < (angles > 0).mean() < 0.6
    assert {how for *_, how in asked} == {"bicubic"}


@pytest.mark.parametrize(
    ("name", "usual", "increasing"),
    [
        ("Rotate", 15.0, 15.0),
        ("ShearX", 0.15, 0.15),
        ("TranslateYRel", 0.225, 0.225),
        ("TranslateX", 50.0, 50.0),
        ("Color", 1.0, 1.45),
        ("Posterize", 2, 2),
        ("Solarize", 128, 128),
        ("SolarizeAdd", 55, 55),
        ("Invert", None, None),
    ],
)
def test_amounts_at_half_strength(name, usual, increasing):
    assert amount_of(name, 5, 1) == pytest.approx(usual) if usual is not None else amount_of(name, 5, 1) is None
    assert amount_of(name, 5, 1, increasing=True) == (pytest.approx(increasing) if increasing is not None else None)


def test_increasing_goes_the_other_way():
    """Level 10 of the strongest: nothing left of the bits, everything inverted, a factor of 0.1 or 1.9."""
    strongest = [amount_of(name, 10, -1, increasing=True) for name in ("Posterize", "Solarize", "Contrast")]
    assert strongest == [0, 0, pytest.approx(0.1)]
    assert [amount_of(name, 10, 1) for name in ("Posterize", "Solarize", "Contrast")] == [4, 256, pytest.approx(1.9)]
    weakest = [amount_of(name, 0, 1, increasing=True) for name in ("Posterize", "Solarize", "Contrast")]
    assert weakest == [4, 256, 1.0]
    assert amount_of("Rotate", 10, -1) == -30


def test_autoaugment_takes_one_pair(asked):
    """The published table: 25 pairs; the first operation of a pair comes first, probabilities as listed."""
    policy, found = AutoAugment(), Counter()
    for seed in range(5000):
        del asked[:]
        policy(None, np.random.default_rng(seed))
        found[tuple(name for name, *_ in asked)] += 1
        assert len(asked) <= 2
    assert len(policies.V0) == 25
    pairs = {tuple(name for name, *_ in pair) for pair in policies.V0}
    assert {names for names in found if len(names) == 2} <= pairs
    # ("Rotate", 1.0, 7), ("TranslateY", 0.8, 9): a 25th of the draws, 4 in 5 of them both
    assert found["Rotate", "TranslateY"] == pytest.approx(160, abs=40)


def test_real_clips_are_changed_alike_in_every_frame():
    clip = np.random.default_rng(0).integers(0, 256, (1, 40, 60, 3), dtype=np.uint8).repeat(3, axis=0)
    for policy in (parse_policy("rand-m9-n4-mstd0.5-inc1-p1", "bicubic"), AutoAugment()):
        for seed in range(40):
            out, _ = policy(clip, np.random.default_rng(seed))
            assert out.shape == clip.shape and out.dtype == np.uint8
            assert np.array_equal(out[0], out[1]) and np.array_equal(out[0], out[2])
            again, _ = policy(clip, np.random.default_rng(seed))
            assert np.array_equal(out, again)
