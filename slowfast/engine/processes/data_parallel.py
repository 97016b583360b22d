"""The same model in every process: how gradients are averaged over them."""

import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.nn.parallel import DistributedDataParallel

from slowfast.utils import distributed


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
        gradient_as_bucket_view=True,
        find_unused_parameters=find_unused_parameters,
    )
    if comm_hook == "bf16":
        wrapped.register_comm_hook(None, bf16_compress_hook)
    elif device.type == "cpu":
        wrapped.register_comm_hook(None, mean_in_rank_order)
    return wrapped


def mean_in_rank_order(_, bucket):
    """Communication hook: each gradient is summed from rank 0 up, wherever in a bucket it lies.

    An all-reduce sums in an order that depends on the place in the bucket, and DDP lays its buckets out anew after the
    first step of each start: with three processes or more, a resumed run would differ in its last bits.

    Args: bucket: torch.distributed.GradBucket.
    Returns: Future of the mean over the processes, like bucket.buffer().
    """
    own = bucket.buffer()
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]

    def mean(_):
        total = parts[0]
        for part in parts[1:]:
            total += part
        return total.div_(len(parts))

    return dist.all_gather(parts, own, async_op=True).get_future().then(mean)
