"""The precision policy: float32, bfloat16 autocast, or float16 autocast with a gradient scaler."""

from contextlib import nullcontext

import torch

DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """How the forward pass computes; weights, gradients and optimizer state stay float32.

    Args:
        name: "fp32", "bf16" or "fp16".
        device: torch.device of the model.
    """

    def __init__(self, name, device):
        self.dtype = DTYPES[name]
        self.device_type = device.type
        self.scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    def autocast(self):
        """Context for the forward pass and the loss."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device_type, dtype=self.dtype)
