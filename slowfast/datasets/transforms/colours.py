"""Random brightness, contrast, saturation, hue and grey of a clip: `colours(clip, rng)`, as a policy is called."""

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.transforms.v2 import functional

_ADJUST = {
    "brightness": functional.adjust_brightness,
    "contrast": functional.adjust_contrast,
    "saturation": functional.adjust_saturation,
    "hue": functional.adjust_hue,
}


@dataclass(frozen=True)
class ColourJitter:
    """Changes the colours of some clips, then makes some of them grey.

    Args:
        strengths: (brightness, contrast, saturation, hue); the first three become factors in [1 - s, 1 + s], the hue is
            turned by up to s of the circle either way, s <= 0.5. They are applied in random order.
        probability: of a clip to be changed.
        per_frame: draw strengths and order for every frame, as EVA does; False: once for the clip.
        grey: probability of a clip to lose its colours.
    """

    strengths: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    probability: float = 0.8
    per_frame: bool = False
    grey: float = 0.0

    def __call__(self, clip, rng):
        done, frames = [], None
        if any(self.strengths) and rng.random() < self.probability:
            frames = _channels_first(clip)
            for part in frames.split(1) if self.per_frame else (frames,):
                changed, done = self._adjust(part, rng)
                part.copy_(changed)
        if self.grey and rng.random() < self.grey:
            frames = functional.rgb_to_grayscale(_channels_first(clip) if frames is None else frames, 3)
            done = [*done, "grey"]
        if frames is None:
            return clip, ()
        return np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy()), tuple(done)

    def _adjust(self, frames, rng):
        done = []
        drawn = [rng.uniform(-strength, strength) for strength in self.strengths]
        for number in rng.permutation(len(drawn)):
            name = list(_ADJUST)[number]
            if self.strengths[number]:
                amount = drawn[number] if name == "hue" else max(1.0 + drawn[number], 0.0)
                frames = _ADJUST[name](frames, amount)
                done.append(f"{name} {amount:.3g}")
        return frames, done


def _channels_first(clip):
    """uint8 (T, H, W, C) -> a copy (T, C, H, W)."""
    return torch.from_numpy(clip).permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
