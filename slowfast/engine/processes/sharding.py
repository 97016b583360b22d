"""Weights, gradients and optimizer state shared out over all processes, block by block: torch's fully_shard (FSDP2)."""

from itertools import pairwise

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, MixedPrecisionPolicy, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from slowfast.engine.processes.old_torch import is_old, let_cpus_shard
from slowfast.models.layers.block import wrapping_units
from slowfast.utils import distributed
from slowfast.utils.errors import UserError


def is_sharded(model):
    return isinstance(model, FSDPModule)


def shard(model, device, *, dtype=None, offload=False):
    """Share a model out: each process keeps an equal part of every parameter, as a DTensor; names stay.

    A unit (`wrapping_units`) is gathered when it computes, forward and backward, and given back after that; what is in
    no unit is gathered once for both. Gradients are averaged in float32. Numbers are those of the whole model under
    autocast: linear layers travel in its type, norms and what is in no unit as float32.

    Args:
        model: on the CPU with its values in the main process; in the others of the same shapes, on the meta device
            best, as their values are not used.
        device: torch.device of this process.
        dtype: of the computation under autocast; None: float32.
        offload: parts, gradients and optimizer state stay in CPU memory; of use on GPUs alone.
    Returns: the model, in all processes the main one's; its parameters are new objects.
    Raises: UserError: this torch cannot share out integers.
    """
    let_cpus_shard()
    if is_old() and not all(parameter.is_floating_point() for parameter in model.parameters()):
        raise UserError(
            f"TRAIN.PARALLEL fsdp: torch {torch.__version__} cannot share out weights held as integers; take a newer "
            "one, VIT_LLAMA.DTYPE bf16, or TRAIN.PARALLEL ddp"
        )
    values = _tensors(model) if distributed.is_main() else None
    model.to("meta")
    mesh = dist.init_device_mesh(device.type, (distributed.world_size(),))
    offload = offload and device.type != "cpu"
    options = {"mesh": mesh, "offload_policy": CPUOffloadPolicy() if offload else OffloadPolicy()}
    units = wrapping_units(model)
    for unit in units:
        _shard_unit(unit, dtype, options)
    fully_shard(model, mp_policy=_policy(None), **options)
    if dtype is not None:  # in between are the norms, which torch would prefetch instead
        for before, unit in pairwise(units):
            unit.set_modules_to_backward_prefetch([before])
    model.to_empty(device="cpu" if offload else device)
    for module in model.modules():
        for leaf, buffer in module.named_buffers(recurse=False):
            setattr(module, leaf, torch.empty_like(buffer, device=device))
    for name, target in _tensors(model).items():
        hand_out(values and values[name], target, device)
    return model


def _shard_unit(unit, dtype, options):
    if not all(parameter.is_floating_point() for parameter in unit.parameters()):
        dtype = None  # quantised: it travels as it is
    if dtype is not None:
        for norm in filter(_is_norm, unit.modules()):
            fully_shard(norm, mp_policy=_policy(None), reshard_after_forward=False, **options)
    fully_shard(unit, mp_policy=_policy(dtype), **options)


def _policy(dtype):
    """Inputs are left to autocast; the residual stream of some models is float32."""
    return MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)


def _is_norm(module):
    own = list(module.parameters())
    return bool(own) and not list(module.children()) and all(parameter.ndim == 1 for parameter in own)


def _tensors(model):
    """name -> parameter or buffer, stored or not."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@torch.no_grad()
def hand_out(source, target, device):
    """Copy the main process's whole tensor into `target`, of which each process may hold a part.

    Args:
        source: in the main process; None in the others.
        target: DTensor, or tensor of the same shape.
        device: where the process group's backend works.
    """
    whole = (
        source.detach().to(device)
        if source is not None
        else torch.empty(target.shape, dtype=target.dtype, device=device)
    )
    if isinstance(target, DTensor):
        part = distribute_tensor(whole, target.device_mesh, target.placements)
        target.to_local().copy_(part.to_local())
    else:
        whole = whole.contiguous()
        dist.broadcast(whole, 0)
        target.copy_(whole)


def gather(tensor, device):
    """A whole tensor on the device in every process, of a DTensor or of one that is whole already."""
    if not isinstance(tensor, DTensor):
        return tensor.detach().to(device)
    part = DTensor.from_local(
        tensor.detach().to_local().to(device),
        tensor.device_mesh,
        tensor.placements,
        run_check=False,
        shape=tensor.shape,
        stride=tensor.stride(),
    )
    return part.full_tensor()


@torch.no_grad()
def filled_copy(empty, model, device):
    """A model of the same class on the meta device, filled with all of a sharded model's values.

    It takes the memory of the whole weights in every process, and no process waits for another one while it computes.

    Returns: `empty`, on the device.
    """
    for name, tensor in _tensors(model).items():
        where, _, leaf = name.rpartition(".")
        value = gather(tensor, device)
        is_parameter = isinstance(tensor, nn.Parameter)
        setattr(empty.get_submodule(where), leaf, nn.Parameter(value, requires_grad=False) if is_parameter else value)
    return empty
