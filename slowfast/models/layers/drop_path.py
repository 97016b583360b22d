"""Stochastic depth: whole residual branches are dropped, one draw a clip.

Huang et al. 2016, https://arxiv.org/abs/1603.09382
"""

from torch import nn


class DropPath(nn.Module):
    """In training, zeroes the branch of a clip with probability `rate` and scales the kept ones by 1 / (1 - rate).

    Args:
        rate: in [0, 1).
        fold: consecutive batch rows that belong to one clip and share a draw: the number of frames where frames are
            folded into the batch, 1 otherwise.
    """

    def __init__(self, rate=0.0, *, fold=1):
        super().__init__()
        assert 0.0 <= rate < 1.0, f"drop path rate {rate} is outside [0, 1)"
        self.rate = rate
        self.fold = fold

    def forward(self, x):
        """x: (B * fold, ...) -> the same shape."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        rows = x.unflatten(0, (-1, self.fold))  # (B, fold, ...)
        mask = rows.new_empty((rows.shape[0],) + (1,) * (rows.ndim - 1)).bernoulli_(keep).div_(keep)
        return (rows * mask).flatten(0, 1)

    def extra_repr(self):
        return f"rate={self.rate:.4g}, fold={self.fold}"


def depth_rates(rate, depth):
    """Drop-path rate of each of `depth` blocks: a straight line from 0 in the first to `rate` in the last."""
    return [rate * index / max(depth - 1, 1) for index in range(depth)]
