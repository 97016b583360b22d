"""From stored bytes to the model's input, on the device that computes."""

import torch
from torch import nn


class Normalize(nn.Module):
    """(value / 255 - mean) / std for each channel, in float32.

    Args:
        mean, std: C numbers each, in [0, 1]; DATA.MEAN, DATA.STD.
        reverse_channels: hand on BGR instead of RGB, once normalised; DATA.REVERSE_INPUT_CHANNEL.
    """

    def __init__(self, mean, std, reverse_channels=False):
        super().__init__()
        mean, std = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
        self.register_buffer("scale", (1 / (255 * std)).float().view(-1, 1, 1, 1), persistent=False)
        self.register_buffer("shift", (mean / std).float().view(-1, 1, 1, 1), persistent=False)
        self.reverse_channels = reverse_channels

    def forward(self, frames):
        """uint8 (B, C, T, H, W), any memory layout -> float32 (B, C, T, H, W), contiguous."""
        frames = frames.to(torch.float32, memory_format=torch.contiguous_format).mul_(self.scale).sub_(self.shift)
        return frames.flip(1) if self.reverse_channels else frames
