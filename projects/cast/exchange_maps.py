"""What CAST's experts ask each other: the attention of both directions of an exchange, and where it lies."""

# B clips, T time steps, S places of the patch grid, H heads
from dataclasses import dataclass

import torch

from slowfast.utils.errors import ConfigError


@dataclass(frozen=True)
class ExchangeMaps:
    """Softmax weights of one block, averaged over the heads; the last axis of each sums to 1.

    times: (B, S, T, T): which times (last) the spatial expert asks for each of its places and times.
    places: (B, T, S, S): which places (last) the temporal expert asks for each of its times and places.
    grid: (T, rows, columns), S = rows * columns.
    """

    times: torch.Tensor
    places: torch.Tensor
    grid: tuple


@torch.no_grad()
def exchange_maps(model, clip, block=-1):
    """ExchangeMaps of a clip (B, C, F, H, W) in one block.

    Args:
        model: CAST in evaluation mode.
        block: index of a block that exchanges; -1: the last one.
    Raises: ConfigError naming VIS.BLOCK for a block that does not exchange.
    """
    exchanging = [index for index, one in enumerate(model.blocks) if one.exchanges]
    index = exchanging[-1] if block == -1 and exchanging else block
    if index not in exchanging:
        raise ConfigError(f"VIS.BLOCK {block}: the blocks that exchange are {exchanging or 'none'}")
    seen = {}
    chosen = model.blocks[index]
    layers = {"times": chosen.t2s_cross, "places": chosen.s2t_cross}
    handles = [
        layer.register_forward_pre_hook(lambda layer, inputs, name=name: seen.update({name: inputs}))
        for name, layer in layers.items()
    ]
    try:
        model.features(clip)
    finally:
        for handle in handles:
            handle.remove()
    maps = {name: layers[name].maps(*inputs).float().mean(dim=2) for name, inputs in seen.items()}
    return ExchangeMaps(**maps, grid=tuple(seen["times"][2]))


def attended_places(maps):
    """Share of each place in what the temporal expert asks at each time, over all that ask: (B, T, S)."""
    return maps.places.mean(dim=2)


def attended_times(maps):
    """Share of each time in what each place of the spatial expert asks, over the times that ask: (B, T, S)."""
    return maps.times.mean(dim=2).transpose(1, 2)


def centres(weights, grid):
    """Centre of mass on a frame whose opposite borders are glued together, as the toy set's are.

    Args:
        weights: (..., S), not negative. grid: (T, rows, columns).
    Returns:
        complex (..., 2), x and y: the angle / 2 pi is the place in frame sides, the length 0 to 1 how sure it is.
    """
    weights = weights.unflatten(-1, grid[1:])  # (..., rows, columns)
    weights = weights / weights.sum(dim=(-2, -1), keepdim=True)
    x, y = (weights.sum(dim=axis) for axis in (-2, -1))  # (..., columns), (..., rows)
    return torch.stack([_circular_mean(x), _circular_mean(y)], dim=-1)


def _circular_mean(weights):
    count = weights.shape[-1]
    angles = (torch.arange(count, dtype=torch.float64, device=weights.device) + 0.5) / count * 2 * torch.pi
    return (weights.double() * torch.polar(torch.ones_like(angles), angles)).sum(dim=-1)


def circular_correlation(centres, positions):
    """Correlation in [-1, 1] of centres with true positions, the mean over x and y.

    Args:
        centres: complex (N, 2) from `centres`. positions: float (N, 2), frame sides.
    Returns: the real part of the complex Pearson correlation of the centres with exp(2 pi i position).
    """
    true = torch.polar(torch.ones_like(positions, dtype=torch.float64), 2 * torch.pi * positions.double())
    a, b = centres - centres.mean(dim=0), true - true.mean(dim=0)
    spread = a.abs().square().mean(dim=0).sqrt() * b.abs().square().mean(dim=0).sqrt()
    return float(((a * b.conj()).mean(dim=0).real / spread).mean())
