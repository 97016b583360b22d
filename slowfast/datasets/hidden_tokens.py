"""The label of a clip in masked pre-training: which of its tokens are hidden, drawn with the clip's own generator."""

from dataclasses import dataclass

from slowfast.utils.tube_masks import random_tube


@dataclass(frozen=True)
class HiddenTokens:
    """Draws a tube mask for a clip: `hidden(clip, rng)`.

    Args:
        patch: (frames, px, px) of a token.
        ratio: VIDEO_MAE.MASK_RATIO, the part of a frame's patches to hide.
    """

    patch: tuple[int, int, int]
    ratio: float

    @classmethod
    def from_cfg(cls, cfg):
        size = cfg.VIDEO_VIT.PATCH_SIZE
        return cls((cfg.VIDEO_VIT.TUBELET_SIZE, size, size), cfg.VIDEO_MAE.MASK_RATIO)

    def __call__(self, clip, rng):
        """clip uint8 (T, H, W, C), numpy Generator -> numbers of the hidden tokens, int64 (M,), ascending."""
        grid = tuple(side // step for side, step in zip(clip.shape[:3], self.patch))
        return random_tube(grid, self.ratio, rng)
