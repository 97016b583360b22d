"""A subject against its golden case: outputs, features, loss, gradients and single layers, each with its tolerance."""

from dataclasses import dataclass, replace
from math import inf

import torch

from slowfast.models.layers.attention import set_attention
from slowfast.models.layers.block import set_act_checkpoint
from slowfast.parity.case import GROUPS
from slowfast.parity.subject import build_subject, recorded_outputs
from slowfast.utils.errors import UserError
from slowfast.weights import load_weights


@dataclass(frozen=True)
class Deviation:
    """`ratio`: the largest |a - b| in units of what is allowed there, so above 1 is a miss; `error`: max |a - b|."""

    name: str
    ratio: float
    error: float


@dataclass(frozen=True)
class Result:
    """What came out of one case: a deviation for each tensor that it holds, and what could not be compared at all."""

    deviations: list
    problems: list

    @property
    def misses(self):
        return [deviation for deviation in self.deviations if not deviation.ratio <= 1.0]

    @property
    def passed(self):
        return bool(self.deviations) and not (self.misses or self.problems)

    def __str__(self):
        parts = list(self.problems)
        if self.deviations:
            worst = max(self.deviations, key=lambda deviation: deviation.ratio)
            parts.append(
                f"worst of {len(self.deviations)} tensors {worst.name} at {worst.ratio:.2g} of its tolerance "
                f"(|difference| {worst.error:.1e})"
            )
        if self.misses:
            parts.append(f"outside: {', '.join(deviation.name for deviation in self.misses)}")
        return "; ".join(parts)


def check_case(case, *, dtype=torch.float32, attention="sdpa", act_checkpoint=False):
    """Build what `case` describes, load its weights, run it forward and backward in evaluation mode, and compare.

    Args:
        case: from read_case.
        dtype: of the computation; the case's tolerance holds for float32 and better.
        attention: "sdpa" or "explicit", see set_attention.
        act_checkpoint: recompute activations in the backward pass, see set_act_checkpoint.
    Returns:
        Result.
    Raises:
        UserError: the case's system is unknown or its hyper-parameters cannot be built.
    """
    subject = build_subject(case)
    report = load_weights(subject.model, case.tensors["weight"])
    report = replace(report, missing=[name for name in report.missing if name not in subject.filled])
    problems = [] if report.complete else [f"weights: {report}"]
    known = {*GROUPS, *subject.sources, *subject.targets}
    unknown = [group for group in case.tensors if group not in known]
    problems += [f"tensors {group}/* are of a group that is not compared" for group in unknown]
    has_layers = next(subject.model.parameters(), None) is not None  # a case may also be of arithmetic alone
    if attention != "sdpa" and has_layers:
        set_attention(subject.model, attention)
    if act_checkpoint and has_layers:
        set_act_checkpoint(subject.model, True)
    subject.model.to(dtype).eval().requires_grad_(True)  # frozen parameters too: cases may hold their gradients
    inputs = {
        name: tensor.to(dtype, copy=True).requires_grad_() if tensor.is_floating_point() else tensor
        for name, tensor in case.tensors["input"].items()
    }
    values = _run(subject, case, inputs)
    values |= {f"unit_{name}": function(case.units[name][0].to(dtype)) for name, function in _units(subject, case)}
    deviations = []
    for name, expected, tolerance in _expected(case, subject):
        actual = values.get(name)
        if actual is None:
            problems.append(f"{name}: not computed")
        elif actual.shape != expected.shape:
            problems.append(f"{name}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
        else:
            deviations.append(_deviation(name, actual.detach(), expected, tolerance))
    return Result(deviations, problems)


def _run(subject, case, inputs):
    """All values of one forward and backward pass, by the names that _expected gives them."""
    places = {
        name: place if isinstance(place, tuple) else (place, None)
        for name, place in subject.feature_modules.items()
        if name in case.tensors["feature"]
    }
    with recorded_outputs(subject.model, [module for module, _ in places.values()]) as features:
        try:
            outputs = subject.run(inputs)
        except (KeyError, ValueError, RuntimeError) as error:
            raise UserError(f"case {case.name}: the model cannot run on the case's inputs: {error!r}") from error
    values = {name if name.startswith("grad_input/") else f"output/{name}": tensor for name, tensor in outputs.items()}
    values |= {
        f"feature/{name}": features[module] if index is None else features[module][index]
        for name, (module, index) in places.items()
    }
    weighted = case.tensors["cotangent"]
    if weighted and all(name in outputs and outputs[name].shape == weighted[name].shape for name in weighted):
        loss = sum((outputs[name] * weighted[name].to(outputs[name].dtype)).sum() for name in weighted)
        loss.backward()
        values["loss"] = loss.reshape(1)
        values |= {f"grad/{name}": _gradient(parameter) for name, parameter in subject.model.named_parameters()}
        values |= {f"grad_input/{name}": _gradient(x) for name, x in inputs.items() if x.is_floating_point()}
    return values


def _gradient(tensor):
    """Zeros for what has no influence on the loss, as reference frameworks store it."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _units(subject, case):
    return [(name, subject.units[name]) for name in case.units if name in subject.units]


def _expected(case, subject):
    """(name, reference, tolerance) of every tensor that can be compared."""
    for name, tensor, tolerance in _stored(case, subject):
        tensor = subject.corrected.get(name, tensor)
        if tensor is not None:
            yield name, tensor, tolerance


def _stored(case, subject):
    """(name, tensor, tolerance) of every tensor of the case that is no input."""
    value, gradient = case.value_tolerance, case.gradient_tolerance
    for group, tolerance in (("output", value), ("feature", value), ("grad", gradient), ("grad_input", gradient)):
        for name, tensor in case.tensors[group].items():
            yield f"{group}/{name}", tensor, tolerance
    for group in subject.targets:
        for name, tensor in case.tensors.get(group, {}).items():
            yield f"output/{group}/{name}", tensor, value
    for tensor in case.tensors["loss"].values():
        yield "loss", tensor.reshape(1), value
    for name, (_, output) in case.units.items():
        yield f"unit_{name}", output, value


def _deviation(name, actual, expected, tolerance):
    if not expected.is_floating_point():
        ratio = 0.0 if torch.equal(actual, expected) else inf
        return Deviation(name, ratio, (actual - expected).abs().max().item())
    expected = expected.double()
    difference = (actual.double() - expected).abs()
    # 0 / 0 is agreement on zero; any other NaN is a miss
    ratios = torch.where(difference == 0, 0.0, difference / tolerance.allowed(expected)).nan_to_num(nan=inf, posinf=inf)
    return Deviation(name, ratios.max().item(), difference.max().item())
