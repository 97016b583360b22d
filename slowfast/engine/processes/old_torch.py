"""What fully_shard lacks on CPU processes before torch 2.7: streams that do nothing, a mean that gloo knows."""

import torch
import torch.distributed as dist


def is_old():
    return not hasattr(torch.cpu.Stream, "record_event")


def let_cpus_shard():
    """Add it, once, where it is lacking; nothing changes for GPUs or a newer torch."""
    if not is_old():
        return
    from torch.distributed.fsdp._fully_shard import _fsdp_param_group as module

    torch.cpu.Stream.record_event = lambda self, event=None: event or torch.cpu.Event()
    torch.cpu.Stream.wait_event = lambda self, event: None
    module.foreach_all_gather_copy_out = _keeping_versions(module.foreach_all_gather_copy_out)
    module.foreach_reduce = _averaging(module.foreach_reduce)
    module.FSDPParamGroup.finalize_backward = _dropping_unused(module.FSDPParamGroup.finalize_backward)


def _keeping_versions(copy_out):
    """Gathering a weight again for the backward pass is no change of it, which autograd would refuse."""

    def call(result, parameters, group):
        kept = [(tensor, tensor._version) for parameter in parameters for tensor in parameter.all_gather_outputs]
        copy_out(result, parameters, group)
        if parameters[0].device.type == "cpu":
            for tensor, version in kept:
                torch._C._autograd._unsafe_set_version_counter(tensor, version)

    return call


def _averaging(reduce):
    """This gloo takes a mean for a sum."""

    def call(parameters, gradients, group, stream, dtype, reduce_dtype, device, operation, *rest):
        if device.type == "cpu":
            torch._foreach_div_(gradients, group.size())
            operation = dist.ReduceOp.SUM
        return reduce(parameters, gradients, group, stream, dtype, reduce_dtype, device, operation, *rest)

    return call


def _dropping_unused(finalize):
    """What was fetched ahead for a backward pass that ended before it would be waited for on a GPU."""

    def call(group):
        result = group._all_gather_result
        if result is not None and group.device.type == "cpu":
            if isinstance(result.all_gather_work, dist.Work):
                result.all_gather_work.wait()
            group._all_gather_result = None
        return finalize(group)

    return call
