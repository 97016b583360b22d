"""The same model in every process: how gradients are averaged over them."""

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from slowfast.utils import distributed

BUCKET_MIB = 25  # of gradients that are summed at once


def wrap_for_training(model, device, *, find_unused_parameters=False, comm_hook=""):
    """The model, in DistributedDataParallel where there are several processes.

    Args:
        find_unused_parameters: the loss does not depend on every trained parameter.
        comm_hook: "bf16": gradients are rounded to bfloat16 while they are summed; "": summed as they are, on CPUs in
            an order that does not change (`mean_in_rank_order`).
    """
    if distributed.world_size() == 1:
        return model
    wrapped = DistributedDataParallel(
        model,
        device_ids=[device.index] if device.type == "cuda" else None,
        bucket_cap_mb=BUCKET_MIB,
        gradient_as_bucket_view=True,
        find_unused_parameters=find_unused_parameters,
    )
    if comm_hook == "bf16":
        wrapped.register_comm_hook(None, bf16_compress_hook)
    elif device.type == "cpu":
        wrapped.register_comm_hook(None, mean_in_rank_order)
    return wrapped


def summing_bytes(model):
    """Bytes that `mean_in_rank_order` takes at most beside the gradients: twice the largest bucket."""
    sizes = [4 * parameter.numel() for parameter in model.parameters() if parameter.requires_grad]
    return 2 * min(sum(sizes), BUCKET_MIB * 2**20 + max(sizes, default=0))


def mean_in_rank_order(_, bucket):
    """Communication hook: each gradient is summed from rank 0 up, wherever in a bucket it lies.

    An all-reduce sums in an order that depends on the place in the bucket, and DDP lays its buckets out anew after the
    first step of each start: with three processes or more, a resumed run would differ in its last bits. One process
    after the other sends its bucket to all, so that memory does not grow with their number.

    Args: bucket: torch.distributed.GradBucket.
    Returns: Future of the mean over the processes, in bucket.buffer() itself.
    """
    own = bucket.buffer()
    total, received = torch.zeros_like(own), torch.empty_like(own)
    for rank in range(dist.get_world_size()):
        part = own if rank == dist.get_rank() else received
        dist.broadcast(part, src=rank)
        total += part
    mean = torch.futures.Future()
    mean.set_result(own.copy_(total).div_(dist.get_world_size()))
    return mean
