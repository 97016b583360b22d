"""Stand-ins for models of which only names and shapes of parameters are known."""

import torch
from safetensors import safe_open
from torch import nn


def module_of(shapes):
    """A module whose parameters have these names and shapes, in this order; their values are zero.

    Names may hold dots: they become submodules.
    """
    root = nn.Module()
    for name, shape in shapes.items():
        *path, last = name.split(".")
        node = root
        for part in path:
            if not hasattr(node, part):
                node.add_module(part, nn.Module())
            node = getattr(node, part)
        node.register_parameter(last, nn.Parameter(torch.zeros(shape)))
    return root


def stored_shapes(path, prefix="weight/"):
    """{name: shape} of the tensors under `prefix` in a safetensors file."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]
        return {name.removeprefix(prefix): file.get_slice(name).get_shape() for name in names}
