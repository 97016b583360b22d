"""Where TSTL's weights come from: the trunk as CAST's experts, or as this process has it; all else from files."""

import os
from functools import partial

from projects.cast.weights import cast, start_from_experts
from slowfast.utils.errors import UserError
from slowfast.weights import WeightRules, starts_from, weight_rules
from slowfast.weights.trained_part import frozen_part

_kept = {}  # the last trunk read: what it was read from -> name -> tensor


@weight_rules("TSTLMember")
def member(model):
    """CAST's rules."""
    return cast(model)


@weight_rules("TSTL")
def tstl(model):
    """CAST's rules for the trunk; a file of all members must be of the same groups."""
    rules = cast(model)
    return WeightRules(
        key_maps=rules.key_maps, fit=rules.fit, head=("selector.*", "experts.*"), prepare=partial(_prepare, model)
    )


def _prepare(model, state):
    if "class_to_group" in state:
        ours, theirs = model.class_to_group.tolist(), state["class_to_group"].tolist()
        if ours != theirs:
            raise UserError(
                f"the checkpoint is of {len(theirs)} classes in {max(theirs) + 1} groups, TSTL.GROUPS_PATH says "
                f"{len(ours)} classes in {max(ours) + 1} groups, or others in each; name the groups it was made with"
            )
        model.adopt(state)
    return state


@starts_from("TSTLMember")
@starts_from("TSTL")
def start_over_one_trunk(model, cfg):
    """Fill the trunk from CAST.CLIP_PATH and CAST.VIDEOMAE_PATH, or share the one that this process has read already.

    Members that are trained one after the other in a process have one trunk among them, not a copy each.

    Returns, raises: as `start_from_experts`.
    """
    trunk = frozen_part(model)
    key = _key(model, cfg, trunk)
    if key not in _kept:
        texts = start_from_experts(model, cfg)
        _kept.clear()
        if trunk:
            _kept[key] = frozen_part(model)
        return texts
    parameters = dict(model.named_parameters())
    for name, tensor in _kept[key].items():
        parameters[name].data = tensor
    return [f"the trunk is the one that this process has: {len(trunk)} tensors"]


def _key(model, cfg, trunk):
    """What tells one trunk from another: files and their times, sizes, device."""
    files = [(path, _time(path)) for path in (cfg.CAST.CLIP_PATH, cfg.CAST.VIDEOMAE_PATH)]
    return (*files, *((name, tuple(t.shape), t.dtype, t.device) for name, t in trunk.items()))


def _time(path):
    return os.stat(path).st_mtime_ns if os.path.exists(path) else None
