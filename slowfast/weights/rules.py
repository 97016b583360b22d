"""How other people's names and shapes become a model's: key maps as data, one set of rules a model, and their registry.

A key map is {pattern: target}; the first pattern that covers a name decides, names without one keep theirs. Patterns
and targets have the same wildcards in the same order: {i} a number, {weight,bias} one of these, * anything. A target
of None: the entry has no place in the model. A tuple of targets: the tensor is cut into as many parts along its first
axis.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from slowfast.utils.registry import register_in

WILDCARD = re.compile(r"\{i\}|\{\w+(?:,\w+)*\}|\*")
RULES = {}  # class name of a model -> function of the model


@dataclass(frozen=True)
class WeightRules:
    """What loading a checkpoint into a model may change.

    key_maps: name for the report -> key map, tried beside the names as they are; the one that fits most entries wins.
    fit: pattern of the model's names -> function (tensor, shape) that gives the tensor this shape, or None.
    head: patterns of the model's names that belong to no backbone, so that a checkpoint need not hold them.
    classifier: patterns of those with a row a class.
    prepare: function of a state dict under the model's names that gives it as the model holds it.
    """

    key_maps: Mapping[str, Mapping] = field(default_factory=dict)
    fit: Mapping[str, Callable] = field(default_factory=dict)
    head: tuple = ()
    classifier: tuple = ()
    prepare: Callable = lambda state: state

    def is_head(self, name):
        return any(_expression(pattern).fullmatch(name) for pattern in self.head)

    def is_classifier(self, name):
        return any(_expression(pattern).fullmatch(name) for pattern in self.classifier)

    def fitted(self, name, tensor, shape):
        """`tensor` as the model's entry `name` of `shape`; None where no rule can do that."""
        for pattern, function in self.fit.items():
            if _expression(pattern).fullmatch(name):
                return function(tensor, shape)
        return None


def weight_rules(class_name):
    """Decorator: this function of a model gives the WeightRules for models of that class."""
    return register_in(RULES, class_name, "sets of weight rules")


def rules_of(model):
    """WeightRules of a model: its class's, else those of the nearest base class; without any, nothing is changed."""
    for base in type(model).__mro__:
        if base.__name__ in RULES:
            return RULES[base.__name__](model)
    return WeightRules()


def rename(state, key_map):
    """A state dict under the names that a key map gives.

    Args:
        state: name -> tensor.
        key_map: see this file's first lines.
    Returns:
        (dict new name -> tensor, list of (name, shape) of what the map drops, dict new name -> name). Where two entries
        would get one name, the first keeps it, the other stays as it is called.
    """
    rules = [(_expression(pattern), target) for pattern, target in key_map.items()]
    renamed, dropped, origins = {}, [], {}
    for name, tensor in state.items():
        found = ((match, target) for pattern, target in rules if (match := pattern.fullmatch(name)))
        match, target = next(found, (None, name))
        targets = target if isinstance(target, tuple) else (target,)
        if tensor.ndim == 0 or tensor.shape[0] % len(targets):
            targets = targets if len(targets) == 1 else (name,)
        parts = tensor.chunk(len(targets)) if len(targets) > 1 else [tensor]
        for part, one in zip(parts, targets):
            if one is None:
                dropped.append((name, tuple(part.shape)))
                continue
            new_name = _filled(one, match.groups()) if match else name
            new_name = name if new_name in renamed else new_name
            renamed[new_name], origins[new_name] = part, name
    return renamed, dropped, origins


def _expression(pattern):
    """Regular expression of a pattern, with a group for each wildcard."""
    groups = {"{i}": r"(\d+)", "*": "(.*)"}
    text, end = "", 0
    for wildcard in WILDCARD.finditer(pattern):
        text += re.escape(pattern[end : wildcard.start()])
        text += groups.get(wildcard[0]) or f"({wildcard[0][1:-1].replace(',', '|')})"
        end = wildcard.end()
    return re.compile(text + re.escape(pattern[end:]))


def _filled(target, values):
    """A target with what its pattern's wildcards stood for."""
    values = iter(values)
    return WILDCARD.sub(lambda _: next(values), target)
