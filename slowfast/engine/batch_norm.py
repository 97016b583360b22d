"""Whose statistics batch normalisation takes: a part of a process's batch, the batch, or several processes' batches."""

import torch
import torch.distributed as dist

from slowfast.models.layers.batch_norm import has_batch_norm, split_batch_statistics
from slowfast.utils import distributed
from slowfast.utils.errors import UserError


def set_batch_norm(model, setting, device, *, everywhere=False):
    """Make a model's batch normalisation layers what the setting says; parameters and buffers stay the same objects.

    Args:
        setting: BatchNormSetting.
        everywhere: sync_batchnorm: all processes share statistics, whatever the setting says; BN.GLOBAL_SYNC.
    Returns: the model.
    Raises: UserError: statistics shared over CPU processes, or by groups that the processes cannot be put into.
    """
    if not has_batch_norm(model):
        return model
    if setting.norm_type == "sync_batchnorm":
        return share_batch_statistics(model, device, num_devices=0 if everywhere else setting.num_sync_devices)
    return split_batch_statistics(model, setting.num_splits if setting.norm_type == "sub_batchnorm" else 1)


def share_batch_statistics(model, device, *, num_devices):
    """Turn a model's batch normalisation layers into ones whose statistics are those of several processes' clips.

    Args:
        num_devices: neighbouring processes that share statistics, 1: none do; 0: all processes.
    Returns: the model, its parameters the same objects as before.
    Raises: UserError: they run on CPUs, or cannot be grouped like that.
    """
    world_size = distributed.world_size()
    size = num_devices or world_size
    if world_size == 1 or size == 1:
        return split_batch_statistics(model, 1)
    if device.type != "cuda":
        raise UserError(
            "BN.NORM_TYPE sync_batchnorm needs GPUs; on CPU processes set BN.NORM_TYPE "
            "batchnorm, or a MULTIGRID.BN_BASE_SIZE of no more than a process's clips"
        )
    if world_size % size:
        raise UserError(
            f"BN.NUM_SYNC_DEVICES: {world_size} processes cannot be put into groups of {size}; take a divisor"
        )
    groups = [dist.new_group(list(range(first, first + size))) for first in range(0, world_size, size)]
    return torch.nn.SyncBatchNorm.convert_sync_batchnorm(model, groups[distributed.rank() // size])
