"""What a member of TSTL has of its own beside the trunk: its parts as modules of the network, and as trees of names."""

import copy

import torch
from torch import nn

from projects.cast.model import is_expert


def delta_units(model):
    """Names of the modules of a CAST that hold nothing of the trunk: adapters, exchange, final norms, head."""
    names = [name for name, _ in model.named_children() if name != "blocks"]
    names += [f"blocks.{i}.{name}" for i, block in enumerate(model.blocks) for name, _ in block.named_children()]
    has_parameters = (name for name in names if any(True for _ in model.get_submodule(name).parameters()))
    return [name for name in has_parameters if not is_expert(f"{name}.")]


def delta_tree(model, units, **replaced):
    """A module that holds copies of some units of `model` under the same names, others `replaced` by name."""
    tree = nn.Module()
    for name in units:
        attach(tree, name, replaced.get(name) or copy.deepcopy(model.get_submodule(name)))
    return tree


def attach(tree, name, value):
    """Put a module or parameter at a dotted name, with modules above it where they are missing."""
    *above, last = name.split(".")
    for step in above:
        if step not in dict(tree.named_children()):
            tree.add_module(step, nn.Module())
        tree = tree.get_submodule(step)
    setattr(tree, last, value)


class PerMember(nn.Module):
    """A unit of the network that each member has a version of, called once for all rows of that member.

    Args:
        versions: a module a member. They are registered elsewhere, by their members.
        shares: Shares, common to all units of a network.
    """

    def __init__(self, versions, shares):
        super().__init__()
        self.__dict__["versions"] = tuple(versions)
        self.__dict__["shares"] = shares

    def forward(self, *inputs):
        """inputs: tensors whose first axis is the clips times any number, clips of a member together; or others."""
        shares = self.shares.current
        if len(shares) == 1:
            return self.versions[shares[0][0]](*inputs)
        parts = zip(*(self._split(x, shares) for x in inputs))
        return torch.cat([self.versions[member](*own) for (member, _), own in zip(shares, parts)])

    def _split(self, x, shares):
        if not isinstance(x, torch.Tensor):
            return [x] * len(shares)
        each = len(x) // sum(clips for _, clips in shares)
        return x.split([clips * each for _, clips in shares])


class Shares:
    """How the clips that are being computed are shared out: `current`, a list of (member, number of clips)."""

    def __init__(self):
        self.current = []
