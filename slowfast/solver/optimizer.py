"""Optimizers: built from the configuration, driven step by step, restored from a checkpoint."""

import torch
import torch.distributed as dist

from slowfast.solver.param_groups import parameter_groups
from slowfast.utils.distributed import local_part
from slowfast.utils.errors import UserError

NORM_EPS = 1e-6  # as torch.nn.utils.clip_grad_norm_
_RESTORED = ("params", "lr")  # of a checkpoint's groups; all else stays as configured


def build_optimizer(model, cfg, base_lr):
    """The optimizer of SOLVER.OPTIMIZING_METHOD over `parameter_groups`; learning rates are set before each step."""
    solver = cfg.SOLVER
    groups = parameter_groups(
        model,
        weight_decay=solver.WEIGHT_DECAY,
        batch_norm_decay=cfg.BN.WEIGHT_DECAY,
        no_decay_1d=solver.ZERO_WD_1D_PARAM,
        no_decay_patterns=solver.NO_DECAY,
        layer_decay=solver.LAYER_DECAY,
    )
    fused = any(parameter.is_cuda for group in groups for parameter in group["params"]) or None
    if solver.OPTIMIZING_METHOD == "sgd":
        return torch.optim.SGD(
            groups,
            lr=base_lr,
            momentum=solver.MOMENTUM,
            dampening=solver.DAMPENING,
            nesterov=solver.NESTEROV and solver.MOMENTUM > 0,
            fused=fused,
        )
    options = {"lr": base_lr, "betas": tuple(solver.BETAS), "eps": solver.EPS}
    if solver.STATE_BITS == 8:
        return _eight_bit(solver.OPTIMIZING_METHOD)(groups, **options)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[solver.OPTIMIZING_METHOD]
    return kind(groups, fused=fused, **options)


def _eight_bit(method):
    """Class of bitsandbytes' Adam or AdamW with block-wise quantised states: Dettmers et al. 2022, arXiv 2110.02861."""
    try:
        import bitsandbytes
    except ImportError:
        raise UserError(
            "SOLVER.STATE_BITS 8 needs the package bitsandbytes: pip install bitsandbytes; or set SOLVER.STATE_BITS 32"
        ) from None
    return {"adam": bitsandbytes.optim.Adam8bit, "adamw": bitsandbytes.optim.AdamW8bit}[method]


def set_lr(optimizer, lr):
    """Set the scheduled learning rate on every group, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def load_optimizer_state(optimizer, state):
    """Take over momenta and step counts of a checkpoint; decay, betas and factors stay as configured.

    Args:
        optimizer: from `build_optimizer`.
        state: its `state_dict()` from a checkpoint.
    Raises:
        ValueError: the checkpoint's groups hold other parameters.
    """
    stored = [group.get("names") for group in state["param_groups"]]
    wanted = [group.get("names") for group in optimizer.param_groups]
    if stored != wanted:
        raise ValueError(
            "its optimizer's parameter groups are others than SOLVER.LAYER_DECAY, SOLVER.NO_DECAY, "
            "SOLVER.ZERO_WD_1D_PARAM, MODEL.FREEZE and MODEL.TRAINABLE make now"
        )
    configured = [
        {key: value for key, value in group.items() if key not in _RESTORED} for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, values in zip(optimizer.param_groups, configured):
        group.update(values)


def clip_gradients(parameters, *, max_value=None, max_norm=None):
    """Clip by value, else by total norm, else only measure; gradients may be shared out over processes (DTensors).

    Returns:
        (total, norms): 0-D tensor, the L2 norm of all gradients before clipping; tensor (P,), the norm of each of the P
        parameters that have a gradient.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    own = [local_part(gradient) for gradient in gradients]
    norms = torch.stack(torch._foreach_norm(own))
    if own[0] is not gradients[0]:
        norms = _over_all_parts(norms, gradients[0].device_mesh)
    total = torch.linalg.vector_norm(norms)
    if max_value is not None:
        torch._foreach_clamp_min_(own, -max_value)
        torch._foreach_clamp_max_(own, max_value)
    elif max_norm is not None:
        torch._foreach_mul_(own, (max_norm / (total + NORM_EPS)).clamp(max=1.0))
    return total, norms


def _over_all_parts(norms, mesh):
    """Norms of this process's parts -> of the whole gradients, which all processes of the mesh share."""
    squares = norms.square().to(mesh.device_type)
    dist.all_reduce(squares, group=mesh.get_group())
    return squares.sqrt().to(norms.device)
