"""Parameter groups and optimizers."""

import torch
from torch import nn

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parameter_groups(model, *, weight_decay, batch_norm_decay=0.0, no_decay_1d=False):
    """Trainable parameters of a model, grouped by weight decay; empty groups are left out.

    Args:
        model: any module. A method `no_weight_decay() -> set of parameter names` exempts those; every name must exist.
        weight_decay: for ordinary parameters.
        batch_norm_decay: for parameters of batch norms.
        no_decay_1d: exempt 1-D parameters and biases too (SOLVER.ZERO_WD_1D_PARAM).
    Returns:
        list of dicts {"params", "names", "weight_decay"}: batch norms, ordinary, exempt, in this order.
    Raises:
        ValueError: `no_weight_decay` names a parameter that the model does not have, or nothing is trainable.
    """
    exempt = set(model.no_weight_decay()) if hasattr(model, "no_weight_decay") else set()
    unknown = exempt - {name for name, _ in model.named_parameters()}
    if unknown:
        raise ValueError(f"no_weight_decay names parameters that do not exist: {sorted(unknown)}")
    groups = [{"params": [], "names": [], "weight_decay": decay} for decay in (batch_norm_decay, weight_decay, 0.0)]
    in_batch_norm = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, BATCH_NORMS)
        for parameter in module.parameters(recurse=False)
    }
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in in_batch_norm:
            group = groups[0]
        elif name in exempt or (no_decay_1d and (parameter.ndim <= 1 or name.endswith(".bias"))):
            group = groups[2]
        else:
            group = groups[1]
        group["params"].append(parameter)
        group["names"].append(name)
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ValueError("the model has no trainable parameter")
    return groups


def build_optimizer(model, cfg, base_lr):
    """The optimizer of SOLVER.OPTIMIZING_METHOD over `parameter_groups`; learning rates are set before each step."""
    solver = cfg.SOLVER
    groups = parameter_groups(
        model,
        weight_decay=solver.WEIGHT_DECAY,
        batch_norm_decay=cfg.BN.WEIGHT_DECAY,
        no_decay_1d=solver.ZERO_WD_1D_PARAM,
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
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[solver.OPTIMIZING_METHOD]
    return kind(groups, lr=base_lr, betas=tuple(solver.BETAS), eps=1e-8, fused=fused)


def set_lr(optimizer, lr):
    """Set the scheduled learning rate on every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def clip_gradients(parameters, *, max_value=None, max_norm=None):
    """Clip by value, else by total norm, else only measure.

    Returns:
        0-D tensor, the total L2 norm of all gradients before clipping.
    """
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])
    if max_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, max_value)
    elif max_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
