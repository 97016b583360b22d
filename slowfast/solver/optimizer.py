"""Optimizers: built from the configuration, driven step by step, restored from a checkpoint."""

import torch

from slowfast.solver.param_groups import parameter_groups

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
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[solver.OPTIMIZING_METHOD]
    return kind(groups, lr=base_lr, betas=tuple(solver.BETAS), eps=solver.EPS, fused=fused)


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
    """Clip by value, else by total norm, else only measure.

    Returns:
        (total, norms): 0-D tensor, the L2 norm of all gradients before clipping; tensor (P,), the norm of each of the P
        parameters that have a gradient.
    """
    parameters = [parameter for parameter in parameters if parameter.grad is not None]
    norms = torch.stack(torch._foreach_norm([parameter.grad for parameter in parameters]))
    total = torch.linalg.vector_norm(norms)
    if max_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, max_value)
    elif max_norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, total)
    return total, norms
