"""Parameter groups: which parameters decay, and by how much a layer's learning rate is scaled."""

from torch import nn

from slowfast.utils.errors import ConfigError
from slowfast.utils.name_patterns import matching

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
BATCH_NORM, ORDINARY, EXEMPT = range(3)  # kinds of weight decay, in the order of the groups


def parameter_groups(
    model, *, weight_decay, batch_norm_decay=0.0, no_decay_1d=False, no_decay_patterns=(), layer_decay=1.0
):
    """Trainable parameters of a model, grouped by depth and weight decay; empty groups are left out.

    Args:
        model: any module. A method `no_weight_decay() -> set of parameter names` exempts those; every name must exist.
            `num_layers` (number of blocks, L) and `layer_of(name) -> 0 .. L + 1` are asked for with `layer_decay`.
        weight_decay: for ordinary parameters.
        batch_norm_decay: for parameters of batch norms.
        no_decay_1d: exempt 1-D parameters and biases too (SOLVER.ZERO_WD_1D_PARAM).
        no_decay_patterns: exempt what these cover (SOLVER.NO_DECAY, `utils.name_patterns`).
        layer_decay: layer i learns at layer_decay ** (L + 1 - i) times the scheduled rate; 1: all alike.
    Returns:
        list of dicts {"params", "names", "weight_decay", "lr_scale"}: by depth, then norms, ordinary, exempt.
    Raises:
        ConfigError: a pattern that matches nothing, or layer decay for a model without layers.
        ValueError: `no_weight_decay` names a parameter that the model does not have, or nothing is trainable.
    Source: BEiT's layer-wise decay, https://arxiv.org/abs/2106.08254; PySlowFast's order of groups.
    """
    exempt = _exempt_names(model, no_decay_patterns)
    batch_norm = _batch_norm_parameters(model)
    scale_of = _lr_scales(model, layer_decay)
    decays = {BATCH_NORM: batch_norm_decay, ORDINARY: weight_decay, EXEMPT: 0.0}
    groups = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in batch_norm:
            kind = BATCH_NORM
        elif name in exempt or (no_decay_1d and (parameter.ndim <= 1 or name.endswith(".bias"))):
            kind = EXEMPT
        else:
            kind = ORDINARY
        scale = scale_of(name)
        new = {"params": [], "names": [], "weight_decay": decays[kind], "lr_scale": scale}
        group = groups.setdefault((scale, kind), new)
        group["params"].append(parameter)
        group["names"].append(name)
    if not groups:
        raise ValueError("the model has no trainable parameter; see MODEL.FREEZE and MODEL.TRAINABLE")
    return [groups[key] for key in sorted(groups)]


def _exempt_names(model, patterns):
    """Names that the model or the patterns take out of weight decay."""
    names = {name for name, _ in model.named_parameters()}
    exempt = set(model.no_weight_decay()) if hasattr(model, "no_weight_decay") else set()
    if exempt - names:
        raise ValueError(f"no_weight_decay names parameters that do not exist: {sorted(exempt - names)}")
    return exempt | matching(patterns, sorted(names), "SOLVER.NO_DECAY")


def _batch_norm_parameters(model):
    """ids of the weights and biases of batch norms."""
    norms = (module for module in model.modules() if isinstance(module, BATCH_NORMS))
    return {id(parameter) for norm in norms for parameter in norm.parameters(recurse=False)}


def _lr_scales(model, layer_decay):
    """function name -> factor on the scheduled learning rate."""
    if layer_decay == 1.0:
        return lambda name: 1.0
    if not hasattr(model, "layer_of"):
        raise ConfigError(
            f"SOLVER.LAYER_DECAY: {layer_decay}, but {type(model).__name__} does not say which layer a parameter is of "
            "(it has no layer_of); set it to 1.0"
        )
    return lambda name: layer_decay ** (model.num_layers + 1 - model.layer_of(name))
