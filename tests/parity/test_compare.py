"""The comparison itself: it must see every kind of deviation."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.checkpoint import checkpoint

from slowfast.models.layers import block
from slowfast.parity import build_subject, check_case, read_case
from slowfast.utils.errors import UserError

CASE = Path(__file__).parent / "data/xvit_avg_a.json"


@pytest.fixture
def case():
    return read_case(CASE)


@pytest.fixture
def rewritten(tmp_path):
    """rewritten(change) -> path of a copy of the case whose manifest and tensors change(manifest, tensors) altered."""

    def function(change):
        manifest, tensors = json.loads(CASE.read_text()), load_file(CASE.with_suffix(".safetensors"))
        change(manifest, tensors)
        path = tmp_path / CASE.name
        path.write_text(json.dumps(manifest))
        save_file(tensors, path.with_suffix(".safetensors"))
        return path

    return function


def missed(result):
    return {deviation.name for deviation in result.misses}


def test_every_tensor_of_the_case_is_compared(case):
    compared = {deviation.name for deviation in check_case(case).deviations}
    expected = {
        f"{group}/{name}" for group in ("output", "feature", "grad", "grad_input") for name in case.tensors[group]
    }
    assert compared == expected | {"loss", "unit_shift"}
    assert len(compared) == 13


@pytest.mark.parametrize("group", ["output", "feature", "grad", "grad_input", "loss"])
def test_one_wrong_value_is_a_miss(case, group):
    for name, tensor in case.tensors[group].items():
        before = tensor.clone()
        tensor.flatten()[-1] += 1e-3 * tensor.abs().max()
        assert missed(check_case(case)) == {group if group == "loss" else f"{group}/{name}"}
        tensor.copy_(before)


def test_a_wrong_single_layer_is_a_miss(case):
    shifted_in, shifted_out = case.units["shift"]
    assert missed(check_case(replace(case, units={"shift": (shifted_in, shifted_out.flip(-1))}))) == {"unit_shift"}


def test_not_a_number_is_a_miss(case):
    case.tensors["weight"]["base_model.blocks.1.norm1.weight"][0] = float("nan")
    result = check_case(case)
    assert {"output/logits", "loss", "grad_input/video"} <= missed(result)
    assert "at inf of its tolerance" in str(result)


@pytest.mark.parametrize(
    "change, problem",
    [
        (lambda tensors: tensors["weight"].pop("new_fc.bias"), "weights: .*missing in the file: new_fc.bias"),
        (lambda tensors: tensors["weight"].update(head=torch.zeros(1)), "weights: .*unexpected in the file: head"),
        (lambda tensors: tensors["feature"].update(pooled=torch.zeros(1)), "feature/pooled: not computed"),
        (
            lambda tensors: tensors["output"].update(logits=torch.zeros(3, 5)),
            r"output/logits: shape \(2, 5\), expected",
        ),
        (lambda tensors: tensors["grad"].update({"no.weight": torch.zeros(1)}), "grad/no.weight: not computed"),
        (lambda tensors: tensors.update(converted={"x": torch.zeros(1)}), r"converted/\* are of a group"),
        (lambda tensors: tensors.update(cotangent={}), "grad_input/video: not computed"),
    ],
)
def test_what_cannot_be_compared_is_told(case, change, problem):
    change(case.tensors)
    result = check_case(case)
    assert not result.passed
    assert any(re.search(problem, text) for text in result.problems), result.problems


def test_a_case_states_its_own_tolerance(rewritten):
    def narrow(manifest, tensors):
        manifest["tolerance"]["float32"]["outputs_and_features"] = {"rtol": 0.0, "atol": 1e-12}

    result = check_case(read_case(rewritten(narrow)))
    assert "output/logits" in missed(result)
    assert not any(name.startswith("grad") for name in missed(result))


def test_a_case_without_a_tolerance_has_the_usual_one(case, rewritten):
    usual = read_case(rewritten(lambda manifest, tensors: manifest.pop("tolerance")))
    assert (usual.value_tolerance, usual.gradient_tolerance) == (case.value_tolerance, case.gradient_tolerance)


@pytest.mark.parametrize(
    "change, error",
    [
        (
            lambda manifest, tensors: manifest.update(reference_variant="Unknown"),
            "builds the system 'Unknown'; known: .*XViT",
        ),
        (lambda manifest, tensors: manifest.pop("hyper_parameters"), "does not describe a model case"),
        (lambda manifest, tensors: manifest["hyper_parameters"].pop("depth"), "lack 'depth'"),
        (lambda manifest, tensors: manifest["hyper_parameters"].update(depth="two"), "do not fit"),
        (lambda manifest, tensors: manifest["hyper_parameters"].update(num_frames=9), "XVIT.NUM_SEGMENTS 8 must be"),
        (lambda manifest, tensors: manifest["hyper_parameters"].update(patch_size=16), "cannot run|weights"),
        (lambda manifest, tensors: tensors.pop("input/video"), "cannot run on the case's inputs: KeyError"),
        (lambda manifest, tensors: tensors.pop("feature/unit_shift_out"), "has no counterpart feature/unit_shift_out"),
    ],
)
def test_bad_cases_are_the_users_errors(rewritten, change, error):
    path = rewritten(change)
    try:
        result = check_case(read_case(path))
    except UserError as raised:
        text = str(raised)
    else:
        assert not result.passed
        text = str(result)
    assert re.search(error, text), text


def test_several_predictions_a_clip_come_out_where_the_published_network_gives_them(case):
    """Logits are averaged over segments; the model itself goes on and averages those."""
    subject = build_subject(replace(case, hyper_parameters=case.hyper_parameters | {"num_segments": 4}))
    subject.model.eval()
    inputs = case.tensors["input"]
    logits = subject.run(inputs)["logits"]
    assert logits.shape == (4, 5)
    torch.testing.assert_close(logits.reshape(2, 2, 5).mean(dim=1), subject.model(inputs["video"]))


def test_recomputation_takes_place(case, monkeypatch):
    calls = []
    monkeypatch.setattr(block, "checkpoint", lambda *args, **options: calls.append(1) or checkpoint(*args, **options))
    assert check_case(case).passed and not calls
    assert check_case(case, act_checkpoint=True).passed and len(calls) == case.hyper_parameters["depth"]


def test_a_case_is_left_as_it_was(case):
    assert str(check_case(case)) == str(check_case(case))
