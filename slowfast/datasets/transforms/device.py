"""What happens to whole batches on the device that computes: normalise, erase, mix.

The generators depend on (seed, epoch, video, repetition) of the clips alone: neither on their place in a batch nor on
the process that has them.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from slowfast.utils.rng import derive_seed, numpy_rng

_ATTEMPTS = 10  # at an erased box that fits into the picture


@dataclass(frozen=True)
class RandomErasing:
    """Puts noise or zeros in place of a box of some normalised clips, the same box in all frames.

    Args:
        probability: of a clip to be erased; AUG.RE_PROB.
        mode: "pixel": normal noise of mean 0 and deviation 1 in every pixel of every frame; "rand": one such colour a
            box; "const": zero. AUG.RE_MODE.
        max_count: largest number of boxes, the number is drawn; AUG.RE_COUNT.
        areas: (low, high) of all boxes of a clip together, part of the picture.
        aspects: (low, high), height / width, drawn evenly by its logarithm.
    Source: Zhong et al. 2020, https://arxiv.org/abs/1708.04896
    """

    probability: float
    mode: str = "pixel"
    max_count: int = 1
    areas: tuple[float, float] = (0.02, 1 / 3)
    aspects: tuple[float, float] = (0.3, 1 / 0.3)

    def boxes(self, height, width, rng):
        """[(y, x, height, width)] in px to erase of a clip; [] mostly."""
        if rng.random() >= self.probability:
            return []
        count = int(rng.integers(1, self.max_count, endpoint=True))
        found = [self._box(height, width, height * width / count, rng) for _ in range(count)]
        return [box for box in found if box is not None]

    def _box(self, height, width, pixels, rng):
        for _ in range(_ATTEMPTS):
            area = rng.uniform(*self.areas) * pixels
            aspect = math.exp(rng.uniform(math.log(self.aspects[0]), math.log(self.aspects[1])))
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < height and w < width:
                y = int(rng.integers(0, height - h, endpoint=True))
                return y, int(rng.integers(0, width - w, endpoint=True)), h, w
        return None

    def fill(self, clip, box, seed):
        """Erase a box of a clip (C, T, H, W) in place. Args: seed: of the noise."""
        y, x, h, w = box
        part = clip[:, :, y : y + h, x : x + w]
        if self.mode == "const":
            part.zero_()
            return
        generator = torch.Generator(clip.device).manual_seed(seed)
        shape = part.shape if self.mode == "pixel" else (clip.shape[0], 1, 1, 1)
        part.copy_(torch.randn(shape, generator=generator, device=clip.device))


@dataclass(frozen=True)
class Mixing:
    """Mixup and cutmix: clips and labels of a group become mixtures of two, the first with the last and so on inwards.

    Args:
        mixup_alpha, cutmix_alpha: of the Beta distributions of the share; 0: never; MIXUP.ALPHA, MIXUP.CUTMIX_ALPHA.
        probability: of a group to be mixed; MIXUP.PROB.
        switch_probability: of cutmix, where both alphas are above 0; MIXUP.SWITCH_PROB.
        smoothing: of the targets, mixed or not; MIXUP.LABEL_SMOOTH_VALUE.
        group_size: neighbouring clips that share one draw; MIXUP.GROUP_SIZE. 0: all of a process's micro-batch, as the
            published codes do, where the number of processes decides who is mixed with whom.
    Source: Zhang et al. 2018, https://arxiv.org/abs/1710.09412; Yun et al. 2019, https://arxiv.org/abs/1905.04899
    """

    mixup_alpha: float
    cutmix_alpha: float = 0.0
    probability: float = 1.0
    switch_probability: float = 0.5
    smoothing: float = 0.0
    group_size: int = 2

    def draw(self, height, width, rng):
        """(share of the clip itself, (top, bottom, left, right) px that come from its partner or None)."""
        if rng.random() >= self.probability:
            return 1.0, None
        cutmix = self.cutmix_alpha > 0 and (self.mixup_alpha == 0 or rng.random() < self.switch_probability)
        share = float(rng.beta(*[self.cutmix_alpha if cutmix else self.mixup_alpha] * 2))
        if not cutmix:
            return share, None
        box = cutmix_box(height, width, share, int(rng.integers(height)), int(rng.integers(width)))
        return remaining_share(height, width, box), box

    def groups(self, count, repetitions=1):
        """The places in a batch that share a draw, as ranges; two clips of one video are never in the same group.

        Args:
            count: clips of the batch, all first clips of its videos before all second ones.
            repetitions: clips of each video.
        """
        size = self.group_size or count
        part = count // repetitions if self.group_size else count
        starts = (
            (start, first + part) for first in range(0, count, part) for start in range(first, first + part, size)
        )
        return [range(start, min(start + size, end)) for start, end in starts]


def cutmix_box(height, width, share, row, column):
    """(top, bottom, left, right) in px, the last ones exclusive, of what a partner gives.

    Args:
        height, width: px of the picture.
        share: of the clip itself; the box has 1 - share of the picture before it is clipped at the border.
        row, column: px, its centre.
    """
    side = math.sqrt(1.0 - share)
    half_height, half_width = int(height * side) // 2, int(width * side) // 2
    rows, columns = (row - half_height, row + half_height), (column - half_width, column + half_width)
    return (*np.clip(rows, 0, height).tolist(), *np.clip(columns, 0, width).tolist())


def remaining_share(height, width, box):
    """Part of the picture outside a cutmix box, the share that the label gets."""
    top, bottom, left, right = box
    return 1.0 - (bottom - top) * (right - left) / (height * width)


class ClipInput:
    """Batches as the loader gives them -> what the model and the task get.

    Args:
        normalize: `Normalize`, on the device.
        erasing, mixing: None: not done. Only training does.
        soft_labels: the task's (labels, smoothing) -> shares of the classes, float (B, K); for mixing.
        seed: RNG_SEED.
        repetitions: clips of each video in a batch, AUG.NUM_SAMPLE.
    """

    def __init__(self, normalize, erasing=None, mixing=None, *, soft_labels=None, seed=0, repetitions=1):
        self.normalize = normalize
        self.erasing = erasing
        self.mixing = mixing
        self.soft_labels = soft_labels
        self.seed = seed
        self.repetitions = repetitions

    def __call__(self, batch):
        """ClipBatch on the device -> (ClipBatch whose labels may have become shares, frames float32 (B, C, T, H, W)).

        Frames are None where nothing could be read.
        """
        if not len(batch.labels):
            return batch, None
        frames = self.normalize(batch.frames)
        if self.erasing is None and self.mixing is None:
            return batch, frames
        ids = [(batch.epoch, *pair) for pair in zip(batch.video_ids.tolist(), batch.view_ids.tolist())]
        if self.erasing is not None:
            self._erase(frames, ids)
        return self._mix(batch, frames, ids) if self.mixing is not None else (batch, frames)

    def _erase(self, frames, ids):
        for clip, key in zip(frames, ids):
            for number, box in enumerate(self.erasing.boxes(*clip.shape[2:], numpy_rng(self.seed, "erase", *key))):
                self.erasing.fill(clip, box, derive_seed(self.seed, "erased", *key, number))

    def _mix(self, batch, frames, ids):
        partner, kept, share, boxes = list(range(len(ids))), [1.0] * len(ids), [1.0] * len(ids), {}
        for group in self.mixing.groups(len(ids), self.repetitions):
            drawn, box = self.mixing.draw(*frames.shape[3:], numpy_rng(self.seed, "mix", *ids[group[0]]))
            for place, other in zip(group, reversed(group)):
                partner[place], share[place] = other, drawn
                if box is None:
                    kept[place] = drawn
                else:
                    boxes[place] = box
        labels = self.soft_labels(batch.labels, self.mixing.smoothing)
        if share != [1.0] * len(ids):
            mixed, labels = _blend(frames, partner, kept), _blend(labels, partner, share)
            for place, (top, bottom, left, right) in boxes.items():
                mixed[place, :, :, top:bottom, left:right] = frames[partner[place], :, :, top:bottom, left:right]
            frames = mixed
        return replace(batch, labels=labels, mixed=list(zip(partner, share))), frames


def _blend(values, partner, share):
    """share * values + (1 - share) * the partners'; values (B, ...), the others lists of B."""
    index = torch.tensor(partner, device=values.device)
    weight = torch.tensor(share, device=values.device, dtype=values.dtype).view(-1, *[1] * (values.dim() - 1))
    return values[index].lerp_(values, weight)
