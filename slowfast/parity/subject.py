"""What is compared with a golden case, and the registry of builders that make it from the case's description."""

from collections.abc import Callable, Collection, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from torch import nn

from slowfast.config.projects import import_modules
from slowfast.utils.errors import UserError
from slowfast.utils.registry import register_in

BUILDERS = {}  # system -> function of a Case
PROJECTS = {
    "CAST": "projects.cast",
    "TSTL": "projects.cast",
}  # first part of a system's name, up to "-" -> package that builds it


@dataclass(frozen=True)
class Subject:
    """A model of this code as a case describes it.

    model: its state-dict keys are the case's.
    run: inputs by name -> outputs by name, through `model`; "grad_input/<name>" where a case has several losses, each
        with a gradient of its own.
    feature_modules: the case's feature name -> name of the module in `model` whose output it is, or (name, index) for
        one of several outputs.
    units: unit name -> function of the unit's input, for layers that a case also gives alone.
    targets: groups of tensors beside the usual ones that `run` gives, as "<group>/<name>".
    filled: names of the model's entries that the builder took from `sources`, groups of tensors beside the usual ones.
    corrected: "<group>/<name>" -> what has to come out where the case documents a defect of its source; None: no one
        value is right.
    """

    model: nn.Module
    run: Callable
    feature_modules: Mapping
    units: Mapping = field(default_factory=dict)
    targets: Collection = ()
    filled: Collection = ()
    sources: Collection = ()
    corrected: Mapping = field(default_factory=dict)


def builds(system):
    """Decorator: this function of a Case makes the Subject for `system` (a manifest's reference_variant)."""
    return register_in(BUILDERS, system, "builders")


def build_subject(case):
    """Raises: UserError for a system that nobody builds, or hyper-parameters that are missing or do not fit."""
    project = PROJECTS.get(case.system.partition("-")[0])
    if project and case.system not in BUILDERS:
        import_modules([project])
    if case.system not in BUILDERS:
        known = ", ".join(sorted(BUILDERS))
        raise UserError(f"case {case.name}: nothing here builds the system '{case.system}'; known: {known}")
    try:
        return BUILDERS[case.system](case)
    except KeyError as error:
        raise UserError(f"case {case.name}: hyper_parameters lack {error} for the system '{case.system}'") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"case {case.name}: hyper_parameters do not fit the system '{case.system}': {error}") from error


@contextmanager
def recorded_outputs(model, module_names):
    """Within the block, the latest output of each named module; yields name -> tensor, filled as the model runs.

    Raises: UserError for a name that the model does not have.
    """
    modules = dict(model.named_modules())
    outputs, handles = {}, []
    for name in module_names:
        if name not in modules:
            raise UserError(f"{type(model).__name__} has no module '{name}'")
        handles.append(modules[name].register_forward_hook(partial(_record, outputs, name)))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _record(outputs, name, module, inputs, output):
    outputs[name] = output
