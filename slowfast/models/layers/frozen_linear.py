"""A bias-free linear layer that is never trained, its weight held once, as float32, bfloat16 or int8."""

import torch
import torch.nn.functional as F
from torch import nn

STORAGE = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}
GROUP = 32  # inputs that share a scale in int8
LARGEST = 127
INIT_STD = 0.02
ROWS = 1024  # outputs that are filled at a time, so that a float32 copy of the whole weight never exists


def quantise(weight):
    """Symmetric int8 with a scale for every GROUP neighbouring inputs of an output, the largest of them at 127.

    Args:
        weight: floating (out, in).
    Returns:
        (int8 (out, in), scales bfloat16 (out, ceil(in / GROUP))); a normally distributed weight comes back with an
        error of half a percent (root mean square).
    """
    groups = _grouped(weight.float())  # (out, G, GROUP)
    scale = (groups.abs().amax(dim=-1) / LARGEST).bfloat16()  # (out, G)
    steps = scale.float().masked_fill(scale == 0, 1.0)[..., None]
    packed = (groups / steps).round_().clamp_(-LARGEST, LARGEST).to(torch.int8)
    return packed.flatten(1)[:, : weight.shape[1]].contiguous(), scale


def unpacked(weight, scale, dtype):
    """The weight (out, in) in `dtype` as computation needs it; `weight` itself where it is of this type.

    Args:
        weight: floating, or int8 with `scale` from `quantise`.
    """
    if scale is None:
        return weight.to(dtype)
    return (_grouped(weight.to(dtype)) * scale.to(dtype)[..., None]).flatten(1)[:, : weight.shape[1]]


class FrozenLinear(nn.Module):
    """Input (..., in) -> (..., out); state-dict keys weight and, held as int8, scale.

    No parameter has a gradient. The weight is turned into the type of the computation on the way through, forward and
    again backward, so that neither a second copy nor the input stays between the two.

    Args:
        in_features, out_features: in, out.
        storage: "fp32", "bf16", or "int8" (see `quantise`).
        init_std: scale of the normally distributed weight before a checkpoint fills it.
    """

    def __init__(self, in_features, out_features, *, storage="fp32", init_std=INIT_STD):
        super().__init__()
        self.storage = storage
        shape = (out_features, in_features)
        self.weight = _frozen(torch.empty(shape, dtype=STORAGE[storage]))
        self.scale = None
        if storage == "int8":
            self.scale = _frozen(torch.empty(out_features, -(-in_features // GROUP), dtype=torch.bfloat16))
        for first in range(0, out_features, ROWS):
            rows = min(ROWS, out_features - first)
            self.fill(first, torch.empty(rows, in_features).normal_(std=init_std))

    @torch.no_grad()
    def fill(self, first_row, weight):
        """Take over rows (n, in) of a floating weight, from row `first_row` of the outputs on."""
        rows = slice(first_row, first_row + len(weight))
        if self.scale is None:
            self.weight[rows] = weight
        else:
            self.weight[rows], self.scale[rows] = quantise(weight)

    def forward(self, x):
        """x: (..., in) -> (..., out), in the type of x, or in autocast's."""
        kind = x.device.type
        if kind != "meta" and torch.is_autocast_enabled(kind):  # autocast does not know tensors without memory
            x = x.to(torch.get_autocast_dtype(kind))
        if self.weight.requires_grad:  # only a check of gradients asks for that of a frozen weight
            return F.linear(x, unpacked(self.weight, self.scale, x.dtype))
        return _FrozenProduct.apply(x, self.weight, self.scale)

    def extra_repr(self):
        return f"in_features={self.weight.shape[1]}, out_features={self.weight.shape[0]}, storage={self.storage}"


class _FrozenProduct(torch.autograd.Function):
    """x weight^T that keeps the weight as it is held for the backward pass, and nothing else."""

    @staticmethod
    def forward(x, weight, scale):
        return F.linear(x, unpacked(weight, scale, x.dtype))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx, gradient):
        return gradient @ unpacked(*ctx.saved_tensors, gradient.dtype), None, None


def _grouped(weight):
    """(out, in) -> (out, G, GROUP), with zeros behind the last input."""
    rest = -weight.shape[1] % GROUP
    return (F.pad(weight, (0, rest)) if rest else weight).unflatten(1, (-1, GROUP))


def _frozen(tensor):
    return nn.Parameter(tensor, requires_grad=False)
