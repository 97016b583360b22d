"""Golden cases: CASE.json says what was computed, CASE.safetensors beside it holds the tensors."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint

GROUPS = ("weight", "input", "output", "feature", "cotangent", "grad", "grad_input", "loss")  # of "<group>/<name>"
UNIT, UNIT_IN, UNIT_OUT = "unit_", "_in", "_out"  # feature/unit_<unit>_in and _out: one layer's input and output


@dataclass(frozen=True)
class Tolerance:
    """|a - b| <= atol + rtol |b|, where atol may be counted in units of max |b|."""

    rtol: float
    atol: float
    relative: bool

    def allowed(self, reference):
        scale = reference.abs().max() if self.relative else 1.0
        return self.atol * scale + self.rtol * reference.abs()


@dataclass(frozen=True)
class Case:
    """One golden case; `tensors` maps group -> name -> float32 or integer tensor, `units` unit -> (input, output).

    scenarios: name -> what is particular of it, where a case holds several.
    """

    name: str
    system: str
    hyper_parameters: dict
    tensors: dict
    units: dict
    value_tolerance: Tolerance
    gradient_tolerance: Tolerance
    scenarios: dict = field(default_factory=dict)


def read_case(path):
    """Read CASE.json and the tensors beside it.

    Raises: UserError for a missing, damaged or foreign file.
    """
    path = Path(path)
    try:
        manifest = json.loads(path.read_text())
    except (OSError, ValueError) as error:  # ValueError: no JSON, or no text
        raise UserError(f"case {path} cannot be read: {error}") from error
    try:
        tolerance = manifest.get("tolerance", {}).get("float32", {})
        described = {
            "system": manifest.get("reference_variant") or manifest["system"],
            "hyper_parameters": manifest["hyper_parameters"],
            "scenarios": manifest.get("scenarios", {}),
            "value_tolerance": _tolerance(
                tolerance.get("outputs_and_features", tolerance if "rtol" in tolerance else None),
                Tolerance(1e-4, 1e-5, False),
            ),
            "gradient_tolerance": _tolerance(tolerance.get("gradients"), Tolerance(1e-4, 1e-5, True)),
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"case {path} does not describe a model case: {error!r}") from error
    tensors, units = _grouped(path.with_suffix(".safetensors"))
    return Case(name=path.stem, tensors=tensors, units=units, **described)


def _tolerance(entry, default):
    """Manifests write a relative atol as text: '1e-5 * max|reference tensor|'."""
    if entry is None:
        return default
    atol = entry["atol"]
    relative = isinstance(atol, str)
    return Tolerance(float(entry["rtol"]), float(atol.split("*")[0]) if relative else float(atol), relative)


def _grouped(path):
    tensors = {group: {} for group in GROUPS}
    for full_name, tensor in read_checkpoint(path).items():
        group, _, name = full_name.partition("/")
        tensors.setdefault(group, {})[name] = tensor
    features, units = tensors["feature"], {}
    for name in [name for name in features if name.startswith(UNIT) and name.endswith(UNIT_IN)]:
        unit = name[len(UNIT) : -len(UNIT_IN)]
        if UNIT + unit + UNIT_OUT not in features:
            raise UserError(f"{path}: tensor feature/{name} has no counterpart feature/{UNIT}{unit}{UNIT_OUT}")
        units[unit] = features.pop(name), features.pop(UNIT + unit + UNIT_OUT)
    return tensors, units
