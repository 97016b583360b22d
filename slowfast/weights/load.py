"""A state dict into a model, with an account of every entry on either side."""

import re
from dataclasses import dataclass, field, replace

import torch

from slowfast.utils.errors import UserError
from slowfast.weights.rules import rename, rules_of

KIND = re.compile(r"(.*?)(?:(?<=\.)(weight|bias))?")
NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")
NEW = -1  # row of a class that the file's classifier does not have
NAMES_SHOWN = 6  # in a sentence
LINES_SHOWN = 12  # of a kind, in a table


@dataclass(frozen=True)
class LoadReport:
    """What became of every entry; its str() is one paragraph for errors, `table` has a line a name for logs.

    matched: names loaded as they are. resized: (name, shape in the file, shape in the model) of those made to fit.
    dropped: (name, shape in the file, shape in the model) where the shapes differ; None in place of the model's where
    a key map says that the model has no place for the file's entry.
    missing: names of the model that the file lacks. unexpected: names of the file that the model lacks.
    num_values, num_values_in_model: scalars loaded, and scalars that the model has.
    num_backbone, num_backbone_in_model: the same of parameters outside the head.
    key_map: the map that gave the file's entries their names; "" = they kept theirs.
    """

    matched: list
    dropped: list
    missing: list
    unexpected: list
    num_values: int
    num_values_in_model: int
    num_backbone: int
    num_backbone_in_model: int
    resized: list = field(default_factory=list)
    key_map: str = ""

    @property
    def complete(self):
        """Every entry of the model came from the file as it was, and the file held nothing else."""
        return not (self.resized or self.dropped or self.missing or self.unexpected)

    @property
    def filled(self):
        """Names of the model's entries that came from the file, resized ones included."""
        return [*self.matched, *(name for name, *_ in self.resized)]

    @property
    def unfilled(self):
        """Names of the model's entries that keep the values they had."""
        return [*self.missing, *(name for name, _, shape in self.dropped if shape is not None)]

    @property
    def backbone_fraction(self):
        """Part of the backbone's parameters that came from the file, in [0, 1]."""
        return self.num_backbone / max(self.num_backbone_in_model, 1)

    def __str__(self):
        num_loaded = len(self.matched) + len(self.resized)
        parts = [
            f"{num_loaded} of {num_loaded + len(self.unfilled)} entries loaded "
            f"({self.num_values:,} of {self.num_values_in_model:,} values)"
        ]
        for what, names in (
            ("of them resized", self._resized_names()),
            ("dropped for their shape", self._dropped_names(for_shape=True)),
            ("dropped without a place in the model", self._dropped_names(for_shape=False)),
            ("missing in the file", self.missing),
            ("unexpected in the file", self.unexpected),
        ):
            if names:
                rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
                parts.append(f"{len(names)} {what}: {', '.join(names[:NAMES_SHOWN])}{rest}")
        if self.complete:
            parts.append("nothing dropped, missing or unexpected")
        return "; ".join(parts)

    def table(self):
        """Several lines: numbers of each kind and the names of all that did not simply match, blocks put together."""
        dropped = self._dropped_names(for_shape=True) + self._dropped_names(for_shape=False)
        kinds = {
            "matched": (len(self.matched), []),
            "resized": (len(self.resized), self._resized_names()),
            "dropped": (len(dropped), dropped),
            "missing": (len(self.missing), self.missing),
            "unexpected": (len(self.unexpected), self.unexpected),
        }
        lines = [f"names read as: {self.key_map}"] if self.key_map else []
        for kind, (count, names) in kinds.items():
            groups = list(_grouped(names))
            shown = (
                groups
                if len(groups) <= LINES_SHOWN
                else [*groups[:LINES_SHOWN], f"... {len(groups)} kinds of names in all"]
            )
            lines.append(f"{kind:<10} {count:>5}  {shown[0] if shown else ''}".rstrip())
            lines += [f"{'':<18}{name}" for name in shown[1:]]
        lines.append(f"values     {self.num_values:,} of {self.num_values_in_model:,} in the model; {self._coverage()}")
        return "\n".join(lines)

    def require(self, min_matched, location):
        """Raises: UserError: less than min_matched, in [0, 1], of the backbone's parameters came from the file."""
        if self.backbone_fraction < min_matched:
            raise UserError(
                f"checkpoint {location} does not fit the model: {self._coverage()}, less than WEIGHTS.MIN_MATCHED "
                f"{min_matched}: {self}. Check MODEL.MODEL_NAME and the model's sizes, or lower WEIGHTS.MIN_MATCHED."
            )

    def _coverage(self):
        return f"{100 * self.backbone_fraction:.1f} % of the backbone's {self.num_backbone_in_model:,} parameters"

    def _resized_names(self):
        return [f"{name} (file {_shape(file)}, model {_shape(model)})" for name, file, model in self.resized]

    def _dropped_names(self, *, for_shape):
        if for_shape:
            entries = [entry for entry in self.dropped if entry[2] is not None]
            return [f"{name} (file {_shape(file)}, model {_shape(model)})" for name, file, model in entries]
        return [name for name, _, shape in self.dropped if shape is None]


def load_weights(model, state_dict):
    """Copy into `model` every entry of `state_dict` whose name and shape fit; the caller judges the rest.

    Args:
        model: module on any device; changed in place, values cast to its dtypes.
        state_dict: name -> tensor, from read_state_dict.
    Returns:
        LoadReport.
    """
    own, rules = model.state_dict(), rules_of(model)
    fitting = {name: tensor for name, tensor in state_dict.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
    backbone = {name: parameter for name, parameter in model.named_parameters() if not rules.is_head(name)}
    return LoadReport(
        matched=list(fitting),
        dropped=[
            (name, tuple(state_dict[name].shape), tuple(tensor.shape))
            for name, tensor in own.items()
            if name in state_dict and name not in fitting
        ],
        missing=[name for name in own if name not in state_dict],
        unexpected=[name for name in state_dict if name not in own],
        num_values=sum(tensor.numel() for tensor in fitting.values()),
        num_values_in_model=sum(tensor.numel() for tensor in own.values()),
        num_backbone=sum(parameter.numel() for name, parameter in backbone.items() if name in fitting),
        num_backbone_in_model=sum(parameter.numel() for parameter in backbone.values()),
    )


def load_pretrained(model, state_dict, class_rows=None):
    """As load_weights, after the model's rules have given entries of other models their names and shapes.

    Args:
        model: module on any device; changed in place. Its rules: `weights.rules`.
        state_dict: name -> tensor, from read_state_dict.
        class_rows: for each class of the model the row of the file's classifier, NEW: it keeps the model's own; None:
            the classifier is taken as it is.
    Returns:
        LoadReport.
    Raises:
        UserError: class_rows names rows that the file has not, or the model's rules know no classifier; what the
            model's rules refuse.
    """
    rules, own = rules_of(model), model.state_dict()
    key_map, (state, dropped, origins) = _best_names(state_dict, rules, own)
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    state = rules.prepare(state)
    if class_rows is not None:
        state = _with_classes(state, rules, own, class_rows)
    resized = []
    for name, tensor in state.items():
        fits = name in own and tensor.shape == own[name].shape
        fitted = tensor if fits or name not in own else rules.fitted(name, tensor, own[name].shape)
        if name in own and fitted is not None and shapes.get(name, fitted.shape) != fitted.shape:
            state[name] = fitted
            resized.append((name, shapes[name], tuple(fitted.shape)))
    report = load_weights(model, state)
    names = {name for name, *_ in resized}
    return replace(
        report,
        matched=[name for name in report.matched if name not in names],
        resized=resized,
        unexpected=[origins[name] for name in report.unexpected],
        dropped=report.dropped + [(name, shape, None) for name, shape in dropped],
        key_map=key_map,
    )


def has_other_classes(model, state_dict):
    """Whether a file's classifier has another number of classes than the model's."""
    rules, own = rules_of(model), model.state_dict()
    state = _best_names(state_dict, rules, own)[1][0]
    return any(rules.is_classifier(name) and len(state[name]) != len(own[name]) for name in own.keys() & state.keys())


def _with_classes(state, rules, own, class_rows):
    """The state with the rows of its classifier that the model's classes have there."""
    rows, state = torch.as_tensor(class_rows), dict(state)
    names = [name for name in state if rules.is_classifier(name) and name in own]
    names = [name for name in names if state[name].shape[1:] == own[name].shape[1:]]
    if not names:
        raise UserError("WEIGHTS.CLASS_*: the checkpoint holds no classifier that this model knows; leave them empty")
    for name in names:
        if rows.max() >= len(state[name]):
            raise UserError(
                f"WEIGHTS.CLASS_*: class number {rows.max()} of the checkpoint is asked for, but its {name} has "
                f"{len(state[name])} classes, 0 to {len(state[name]) - 1}; give the list that it was trained with"
            )
        values = own[name].to(state[name].device, state[name].dtype, copy=True)
        values[rows != NEW] = state[name][rows[rows != NEW]]
        state[name] = values
    return state


def _best_names(state_dict, rules, own):
    """(name of a key map, what `rename` gives with it): the names that cover most of the model's."""
    tried = [(name, rename(state_dict, key_map)) for name, key_map in {"": {}, **rules.key_maps}.items()]
    return max(tried, key=lambda found: _coverage(found[1][0], own))  # the first of equals


def _coverage(renamed, own):
    """(entries of the model that are there, entries without a place in it, negative)."""
    return len(own.keys() & renamed.keys()), -len(renamed.keys() - own.keys())


def _grouped(names):
    """Names that differ only in numbers or in weight and bias, as one with their count."""
    groups = {}
    for name in names:
        stem, kind = KIND.fullmatch(name).groups()
        members = groups.setdefault(NUMBER.sub("*", stem), [])
        members.append((stem, kind or ""))
    for group, members in groups.items():
        stems, kinds = (dict.fromkeys(column) for column in zip(*members))
        stem = group if len(stems) > 1 else next(iter(stems))
        kind = next(iter(kinds)) if len(kinds) == 1 else f"{{{','.join(kinds)}}}"
        yield f"{stem}{kind}" + (f"  x {len(members)}" if len(members) > 1 else "")


def _shape(sizes):
    return "x".join(map(str, sizes)) or "scalar"
