"""RandAugment and AutoAugment: which operations a clip gets, and how strong they are; one draw for all its frames.

A policy is called with (clip, rng), clip uint8 (T, H, W, C), and gives (clip, operations), what it did as texts.
"""

import re
from dataclasses import dataclass

from slowfast.datasets.transforms.operations import OPERATIONS
from slowfast.utils.errors import ConfigError

RAND_OPERATIONS = (
    *("AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast"),
    *("Brightness", "Sharpness", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel"),
)
_SIGNED = {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3, "TranslateXRel": 0.45, "TranslateYRel": 0.45}  # at level 10
_FACTORS = ("Color", "Contrast", "Brightness", "Sharpness")
_STRONGEST = 10.0

# AutoAugment's policy for ImageNet in its published TensorFlow code, "v0": (operation, probability, level) twice.
V0 = (
    (("Equalize", 0.8, 1), ("ShearY", 0.8, 4)),
    (("Color", 0.4, 9), ("Equalize", 0.6, 3)),
    (("Color", 0.4, 1), ("Rotate", 0.6, 8)),
    (("Solarize", 0.8, 3), ("Equalize", 0.4, 7)),
    (("Solarize", 0.4, 2), ("Solarize", 0.6, 2)),
    (("Color", 0.2, 0), ("Equalize", 0.8, 8)),
    (("Equalize", 0.4, 8), ("SolarizeAdd", 0.8, 3)),
    (("ShearX", 0.2, 9), ("Rotate", 0.6, 8)),
    (("Color", 0.6, 1), ("Equalize", 1.0, 2)),
    (("Invert", 0.4, 9), ("Rotate", 0.6, 0)),
    (("Equalize", 1.0, 9), ("ShearY", 0.6, 3)),
    (("Color", 0.4, 7), ("Equalize", 0.6, 0)),
    (("Posterize", 0.4, 6), ("AutoContrast", 0.4, 7)),
    (("Solarize", 0.6, 8), ("Color", 0.6, 9)),
    (("Solarize", 0.2, 4), ("Rotate", 0.8, 9)),
    (("Rotate", 1.0, 7), ("TranslateY", 0.8, 9)),
    (("ShearX", 0.0, 0), ("Solarize", 0.8, 4)),
    (("ShearY", 0.8, 0), ("Color", 0.6, 4)),
    (("Color", 1.0, 0), ("Rotate", 0.6, 2)),
    (("Equalize", 0.8, 4), ("Equalize", 0.0, 8)),
    (("Equalize", 1.0, 4), ("AutoContrast", 0.6, 2)),
    (("ShearY", 0.4, 7), ("SolarizeAdd", 0.6, 7)),
    (("Posterize", 0.8, 2), ("Solarize", 0.6, 10)),
    (("Solarize", 0.6, 8), ("Equalize", 0.6, 1)),
    (("Color", 0.8, 6), ("Rotate", 0.4, 5)),
)


@dataclass(frozen=True)
class RandAugment:
    """A few operations of 15, drawn with replacement, each applied with a probability.

    Args:
        magnitude, deviation: mean and standard deviation of the level of each operation, clipped to [0, 10].
        num_operations: drawn for a clip.
        increasing: a higher level is a stronger operation, also of those that AutoAugment counts the other way round.
        probability: of each drawn operation to be applied.
        interpolation: "bilinear" or "bicubic".
    Source: Cubuk et al. 2020, https://arxiv.org/abs/1909.13719, with the additions that the magnitude strings name.
    """

    magnitude: float
    deviation: float = 0.0
    num_operations: int = 2
    increasing: bool = False
    probability: float = 0.5
    interpolation: str = "bicubic"

    def __call__(self, clip, rng):
        done = []
        for number in rng.integers(len(RAND_OPERATIONS), size=self.num_operations):
            if rng.random() >= self.probability:
                continue
            name, level = RAND_OPERATIONS[number], rng.normal(self.magnitude, self.deviation)
            level = min(max(level, 0.0), _STRONGEST)
            amount = amount_of(name, level, -1 if rng.random() < 0.5 else 1, increasing=self.increasing)
            clip = OPERATIONS[name](clip, amount, self.interpolation)
            done.append(_tell(name, amount))
        return clip, tuple(done)


@dataclass(frozen=True)
class AutoAugment:
    """One of 25 pairs of operations, policy `V0`.

    Args:
        translate_px: px of a translation at level 10.
        interpolation: "bilinear" or "bicubic".
    Source: Cubuk et al. 2019, https://arxiv.org/abs/1805.09501
    """

    translate_px: float = 100.0
    interpolation: str = "bicubic"

    def __call__(self, clip, rng):
        done = []
        for name, probability, level in V0[rng.integers(len(V0))]:
            applied, sign = rng.random() < probability, -1 if rng.random() < 0.5 else 1
            if not applied:
                continue
            amount = amount_of(name, level, sign, translate_px=self.translate_px)
            clip = OPERATIONS[name](clip, amount, self.interpolation)
            done.append(_tell(name, amount))
        return clip, tuple(done)


def amount_of(name, level, sign, *, increasing=False, translate_px=100.0):
    """What an operation of a level in [0, 10] is told; None for those that have no strength.

    Args:
        sign: -1 or 1, for operations that have a direction.
        increasing: see `RandAugment`.
        translate_px: see `AutoAugment`.
    Returns:
        degrees (Rotate), px a px (Shear), part of the picture's side (TranslateRel), px (Translate), bits kept
        (Posterize), least value inverted (Solarize), what is added (SolarizeAdd), or a factor that 1 leaves alone.
    """
    part = level / _STRONGEST
    if name in _SIGNED:
        return sign * part * _SIGNED[name]
    if name in ("TranslateX", "TranslateY"):
        return sign * part * translate_px
    if name in _FACTORS:
        return max(0.1, 1.0 + sign * 0.9 * part) if increasing else 0.1 + 1.8 * part
    if name == "Posterize":
        return 4 - int(4 * part) if increasing else int(4 * part)
    if name == "Solarize":
        return 256 - int(256 * part) if increasing else int(256 * part)
    return min(int(110 * part), 128) if name == "SolarizeAdd" else None


def parse_policy(text, interpolation):
    """The policy that a magnitude string names: "rand-m7-n4-mstd0.5-inc1", "v0"; "" is none.

    m: magnitude, 9 if left out; n: operations, 2; mstd: deviation, 0; inc1: increasing; p: probability, 0.5.
    Raises: ConfigError: another string.
    """
    if not text:
        return None
    if text == "v0":
        return AutoAugment(interpolation=interpolation)
    kind, *parts = text.split("-")
    found = [re.fullmatch(r"(mstd|inc|m|n|p)(\d+(?:\.\d+)?)", part) for part in parts]
    values = {match[1]: float(match[2]) for match in found if match}
    if kind != "rand" or not all(found) or len(values) < len(parts) or not 0 <= values.get("p", 0.5) <= 1:
        raise ConfigError(
            f"AUG.AA_TYPE: got {text!r}, expected 'v0', '' or parts like 'rand-m7-n4-mstd0.5-inc1-p0.5': magnitude, "
            "number of operations, deviation, increasing (0 or 1), probability"
        )
    return RandAugment(
        magnitude=values.get("m", 9.0),
        deviation=values.get("mstd", 0.0),
        num_operations=int(values.get("n", 2)),
        increasing=bool(values.get("inc", 0)),
        probability=values.get("p", 0.5),
        interpolation=interpolation,
    )


def _tell(name, amount):
    return name if amount is None else f"{name} {amount:.3g}"
