"""Talking between processes; every function also works in a single process without a process group."""

import os

import torch
import torch.distributed as dist


def is_initialized():
    return dist.is_available() and dist.is_initialized()


def rank():
    """Number of this process over all machines, from 0."""
    return dist.get_rank() if is_initialized() else 0


def world_size():
    """Number of processes over all machines."""
    return dist.get_world_size() if is_initialized() else 1


def is_main():
    """True in the one process that writes files and talks to the user."""
    return rank() == 0


def available_cores():
    """CPU cores that this process may use; a container or a batch system may leave it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def barrier():
    if is_initialized():
        dist.barrier()


def local_part(tensor):
    """This process's part of a tensor that is shared out (a DTensor), sharing its memory; else the tensor itself."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def all_reduce_sums(sums, device):
    """Add up numbers over all processes in one reduction.

    Args:
        sums: dict name -> number or 0-D tensor; the same names in every process.
        device: where the process group's backend works.
    Returns:
        dict name -> float, equal in every process.
    """
    names = sorted(sums)
    values = torch.stack([torch.as_tensor(sums[name], dtype=torch.float64, device=device) for name in names])
    if is_initialized():
        dist.all_reduce(values)
    return dict(zip(names, values.tolist()))


def gather_objects(value):
    """The picklable `value` of every process, in the order of ranks, in every process."""
    if not is_initialized():
        return [value]
    values = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def gather_to_main(value):
    """The picklable `value` of every process, in the order of ranks, in the main process; None in the others."""
    if not is_initialized():
        return [value]
    values = [None] * world_size() if is_main() else None
    dist.gather_object(value, values)
    return values


def broadcast_object(value):
    """Rank 0's picklable `value`, in every process."""
    if not is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]
