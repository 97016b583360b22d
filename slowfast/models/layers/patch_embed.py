"""Images or clips cut into patches, each projected to a token."""

import torch.nn.functional as F
from torch import nn

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}


class PatchEmbed(nn.Module):
    """A convolution whose stride is its kernel; state-dict keys proj.weight, proj.bias.

    It is computed as one matrix product over the patches, so that the tokens lie row by row in memory: those of a
    convolution lie channel by channel, and so would the residual stream of every block after it, copied at each norm.

    Args:
        in_channels: C.
        dim: width D of the tokens.
        patch: (height, width) in px for images, (frames, height, width) for clips.
    """

    def __init__(self, in_channels, dim, patch):
        super().__init__()
        self.patch = tuple(patch)
        self.proj = CONVOLUTIONS[len(self.patch)](in_channels, dim, self.patch, stride=self.patch)

    def forward(self, x):
        """x: (B, C, H, W) or (B, C, T, H, W) -> tokens (B, N, D), row-major over the patch grid.

        Raises: ValueError when a side is no multiple of the patch, since its rest would be cut off in silence.
        """
        axes = len(self.patch)
        sides = [side for pair in zip(self.grid(x.shape[2:]), self.patch) for side in pair]
        x = x.reshape(*x.shape[:2], *sides)  # (B, C, steps and patch of each axis)
        x = x.permute(0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2))  # (B, steps..., C, patch...)
        patches = x.flatten(axes + 1).flatten(1, axes)  # (B, N, C * patch)
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)

    def grid(self, size):
        """Patches along each axis of an input of `size`; raises ValueError as forward does."""
        size = tuple(size)
        if len(size) != len(self.patch) or any(side % step for side, step in zip(size, self.patch)):
            raise ValueError(f"an input of {size} cannot be cut into patches of {self.patch}")
        return tuple(side // step for side, step in zip(size, self.patch))
