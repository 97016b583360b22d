"""Tensors of another shape made to fit: positions on another grid, time steps, kernels of images for videos.

Each function takes (tensor, shape) and returns a tensor of that shape, or None where it cannot.
"""

import math

import torch

from slowfast.models.layers.positions import resize_positions


def resized_positions(tensor, shape, *, grid, num_prefix=1, mode="bicubic"):
    """Learnt positions (1, num_prefix + cells, D) for the model's grid, (rows, columns) or (time, rows, columns).

    The file does not say its grid. It is taken as square with the model's time steps, or as the model's grid with
    other time steps, whichever its number of cells allows; where both or neither would do, nothing is guessed.
    """
    if tensor.ndim != 3 or (tensor.shape[0], tensor.shape[2]) != (shape[0], shape[2]):
        return None
    cells = tensor.shape[1] - num_prefix
    *time, rows, columns = grid
    side = math.isqrt(max(cells, 0) // math.prod(time))
    old_grids = {(*time, side, side)} if side and side * side * math.prod(time) == cells else set()
    if time and cells > 0 and cells % (rows * columns) == 0:
        old_grids.add((cells // (rows * columns), rows, columns))
    if len(old_grids) != 1:
        return None
    return resize_positions(tensor.float(), old_grids.pop(), tuple(grid), num_prefix, mode=mode)


def repeat_steps(tensor, shape, *, dim=1):
    """One entry a time step along `dim`, taken round and round: what a model that regroups its frames sees."""
    if tensor.ndim != len(shape) or not tensor.shape[dim]:
        return None
    repeated = tensor.index_select(dim, torch.arange(shape[dim]) % tensor.shape[dim])
    return repeated if repeated.shape == shape else None


def inflate(tensor, shape):
    """Kernel (out, in, h, w) for images -> (out, in, t, h, w): repeated and divided by t, so that a still clip gives
    what the image gave.
    """
    if len(shape) != 5 or tensor.shape != (*shape[:2], *shape[3:]):
        return None
    return tensor[:, :, None].repeat(1, 1, shape[2], 1, 1) / shape[2]


def unflatten(tensor, shape):
    """Kernel that old files store as a matrix (out, in * h * w)."""
    if tensor.ndim != 2 or tensor.shape != (shape[0], math.prod(shape[1:])):
        return None
    return tensor.reshape(shape)
