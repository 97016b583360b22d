"""A state dict into a model, with an account of every entry on either side."""

from dataclasses import dataclass

NAMES_SHOWN = 6


@dataclass(frozen=True)
class LoadReport:
    """What became of every entry; its str() is one paragraph for logs and errors.

    matched: names loaded. dropped: (name, shape in the file, shape in the model) where the shapes differ.
    missing: names of the model that the file lacks. unexpected: names of the file that the model lacks.
    num_values, num_values_in_model: scalars loaded, and scalars that the model has.
    """

    matched: list
    dropped: list
    missing: list
    unexpected: list
    num_values: int
    num_values_in_model: int

    @property
    def complete(self):
        """Every entry of the model came from the file, and the file held nothing else."""
        return not (self.dropped or self.missing or self.unexpected)

    def __str__(self):
        num_entries = len(self.matched) + len(self.dropped) + len(self.missing)
        parts = [
            f"{len(self.matched)} of {num_entries} entries loaded "
            f"({self.num_values:,} of {self.num_values_in_model:,} values)"
        ]
        dropped = [f"{name} (file {_shape(file)}, model {_shape(model)})" for name, file, model in self.dropped]
        for what, names in (
            ("dropped for their shape", dropped),
            ("missing in the file", self.missing),
            ("unexpected in the file", self.unexpected),
        ):
            if names:
                rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
                parts.append(f"{len(names)} {what}: {', '.join(names[:NAMES_SHOWN])}{rest}")
        if self.complete:
            parts.append("nothing dropped, missing or unexpected")
        return "; ".join(parts)


def load_weights(model, state_dict):
    """Copy into `model` every entry of `state_dict` whose name and shape fit; the caller judges the rest.

    Args:
        model: module on any device; changed in place, values cast to its dtypes.
        state_dict: name -> tensor, from read_state_dict.
    Returns:
        LoadReport.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in state_dict.items() if name in own and tensor.shape == own[name].shape}
    model.load_state_dict(fitting, strict=False)
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
    )


def _shape(sizes):
    return "x".join(map(str, sizes)) or "scalar"
