"""Images or clips cut into patches, each projected to a token."""

from torch import nn

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}


class PatchEmbed(nn.Module):
    """A convolution whose stride is its kernel; state-dict keys proj.weight, proj.bias.

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
        self.grid(x.shape[2:])
        return self.proj(x).flatten(2).transpose(1, 2)

    def grid(self, size):
        """Patches along each axis of an input of `size`; raises ValueError as forward does."""
        size = tuple(size)
        if len(size) != len(self.patch) or any(side % step for side, step in zip(size, self.patch)):
            raise ValueError(f"an input of {size} cannot be cut into patches of {self.patch}")
        return tuple(side // step for side, step in zip(size, self.patch))
