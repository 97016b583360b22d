"""Batch normalisation whose statistics are those of parts of a batch.

Wu et al. 2020, https://arxiv.org/abs/1912.00998, where batches grow and statistics shall still be of few clips.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class SubBatchNorm(_BatchNorm):
    """Batch normalisation for any number of axes; in training each of `num_splits` parts of a batch by itself.

    Clip n belongs to part n modulo the number of parts, which is the largest up to `num_splits` that divides the batch.
    Running statistics are of the whole batch: the mean of the parts' means; the mean of their variances plus the
    variance of their means. State dict as of nn.BatchNorm3d, whatever `num_splits` is.

    Args: num_features and further keywords as of nn.BatchNorm3d.
    """

    def __init__(self, num_features, num_splits=1, **options):
        super().__init__(num_features, **options)
        self.num_splits = num_splits

    def _check_input_dim(self, x):
        pass

    def forward(self, x):
        """x: (N, C, ...) -> the same shape."""
        clips, channels = x.shape[:2]
        parts = next(n for n in range(min(self.num_splits, clips), 0, -1) if clips % n == 0)
        if parts == 1 or not self.training:
            return super().forward(x)
        rows = x.reshape(clips // parts, parts * channels, *x.shape[2:])
        means, variances = x.new_zeros(parts * channels), x.new_ones(parts * channels)
        out = F.batch_norm(rows, means, variances, training=True, momentum=1.0, eps=self.eps).reshape(x.shape)
        if self.track_running_stats:
            self._track(means.view(parts, channels), variances.view(parts, channels))
        if not self.affine:
            return out
        shape = (1, channels) + (1,) * (x.ndim - 2)
        return out * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _track(self, means, variances):
        """means, variances: (parts, C), of the running batch; in place, as distributed wrappers hold the buffers."""
        self.num_batches_tracked += 1
        momentum = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(means.mean(dim=0), momentum)
        self.running_var.lerp_(variances.mean(dim=0) + means.var(dim=0, unbiased=False), momentum)

    def extra_repr(self):
        return f"{super().extra_repr()}, num_splits={self.num_splits}"


def has_batch_norm(model):
    return any(isinstance(module, _BatchNorm) for module in model.modules())


def split_batch_statistics(model, num_splits):
    """Put a SubBatchNorm with the same parameters and buffers in the place of every batch normalisation layer.

    Args: num_splits: parts of a batch; 1: statistics are of the whole batch.
    Returns: the model.
    """
    if isinstance(model, _BatchNorm):
        return _split(model, num_splits)
    for name, child in model.named_children():
        setattr(model, name, split_batch_statistics(child, num_splits))
    return model


def _split(layer, num_splits):
    if isinstance(layer, SubBatchNorm):
        layer.num_splits = num_splits
        return layer
    if num_splits == 1 and not isinstance(layer, nn.SyncBatchNorm):
        return layer
    options = {name: getattr(layer, name) for name in ("eps", "momentum", "affine", "track_running_stats")}
    with torch.device("meta"):
        new = SubBatchNorm(layer.num_features, num_splits, **options)
    new._parameters, new._buffers = layer._parameters, layer._buffers
    return new.train(layer.training)
