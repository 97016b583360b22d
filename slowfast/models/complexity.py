"""How large and how costly a model is: parameters, and multiply-additions of one forward pass."""

from math import prod

import torch
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

aten = torch.ops.aten


def count_parameters(model):
    """(all parameters, those with requires_grad), each as a number of scalars."""
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(p.numel() for p in parameters if p.requires_grad)


def gmacs(model, input_shape):
    """10^9 multiply-additions of one forward pass in evaluation mode: what papers print as GFLOPs.

    fvcore's convention: matrix products (fused attention included) and convolutions count one per multiply-addition;
    normalisation layers 5 per element, BatchNorm in evaluation 2, each one less without weights; all else nothing.
    Nothing is computed and no memory is taken: parameters and input are replaced by shapes on the meta device.

    Args:
        model: any module; its mode, parameters and buffers are left as they are.
        input_shape: of the model's one input, batch included, e.g. (1, C, T, H, W) for the cost of one view.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}  # buffers that no state dict holds too
    state = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    dtype = next((p.dtype for p in model.parameters()), torch.float32)
    clip = torch.empty(input_shape, device="meta", dtype=dtype)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_NORMALISATION) as counter:
            functional_call(model, state, (clip,))
    finally:
        model.train(was_training)
    return counter.get_total_flops() / 2 / 1e9


def _norm_flops(input_shape, weight_shape, rate):
    """`rate` per element and one less without an affine part; doubled, since the counter's unit is half of ours."""
    return 2 * prod(input_shape) * (rate if weight_shape is not None else rate - 1)


def _layer_norm(x, normalized_shape, weight, bias, *args, out_shape=None):
    return _norm_flops(x, weight, 5)


def _group_norm(x, weight, *args, out_shape=None):
    return _norm_flops(x, weight, 5)


def _batch_norm(x, weight, bias, mean, variance, training, *args, out_shape=None):
    return _norm_flops(x, weight, 5 if training else 2)  # instance norm arrives here too, as training


_COUNTERS = {
    aten.native_layer_norm: _layer_norm,
    aten.native_group_norm: _group_norm,
    aten.native_batch_norm: _batch_norm,
}
# by overload as well, since torch 2.6 looks there before it takes an operator apart
_NORMALISATION = _COUNTERS | {operator.default: counter for operator, counter in _COUNTERS.items()}
