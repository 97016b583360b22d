"""Parameter groups: by hand on a small net, and against the groups of the public recipes."""

import hashlib
import json

import pytest
import torch
from torch import nn

from slowfast.models.video_vit import VideoViT
from slowfast.models.xvit import XViT
from slowfast.solver.param_groups import parameter_groups
from slowfast.utils.errors import ConfigError
from tests.solver.named import module_of, stored_shapes


class Net(nn.Module):
    """Two layers, every kind of parameter, a frozen one."""

    num_layers = 2

    def __init__(self, exempt=("positions",)):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 5, 3))
        self.conv = nn.Conv3d(3, 4, 2)
        self.bn = nn.BatchNorm3d(4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Linear(4, 7)
        self.frozen.requires_grad_(False)
        self.exempt = exempt

    def no_weight_decay(self):
        return set(self.exempt)

    def layer_of(self, name):
        return {"positions": 0, "conv": 1, "bn": 2, "norm": 3}[name.split(".")[0]]


def _groups(**kwargs):
    groups = parameter_groups(Net(), weight_decay=0.05, **kwargs)
    return [(group["weight_decay"], group["names"]) for group in groups]


def _by_name(model, **kwargs):
    """{name of a trained parameter: (factor on the learning rate, weight decay)}."""
    groups = parameter_groups(model, **kwargs)
    found = {name: (group["lr_scale"], group["weight_decay"]) for group in groups for name in group["names"]}
    parameters = dict(model.named_parameters())
    assert all(parameters[n] is p for group in groups for n, p in zip(group["names"], group["params"]))
    assert len(found) == sum(len(group["names"]) for group in groups)
    return found


def test_batch_norm_ordinary_and_exempt():
    assert _groups(batch_norm_decay=0.01) == [
        (0.01, ["bn.weight", "bn.bias"]),
        (0.05, ["conv.weight", "conv.bias", "norm.weight", "norm.bias"]),
        (0.0, ["positions"]),
    ]


def test_no_decay_of_1d_parameters():
    assert _groups(no_decay_1d=True)[1:] == [
        (0.05, ["conv.weight"]),
        (0.0, ["positions", "conv.bias", "norm.weight", "norm.bias"]),
    ]


def test_no_decay_by_pattern():
    assert _groups(no_decay_patterns=["*.bias"])[1:] == [
        (0.05, ["conv.weight", "norm.weight"]),
        (0.0, ["positions", "conv.bias", "norm.bias"]),
    ]
    with pytest.raises(ConfigError, match=r"SOLVER.NO_DECAY: 'nrom' matches no parameter; near it: norm"):
        _groups(no_decay_patterns=["norm", "nrom"])


def test_layer_decay_by_hand():
    assert _by_name(Net(), weight_decay=0.05, layer_decay=0.5) == {
        "positions": (0.125, 0.0),
        **dict.fromkeys(("conv.weight", "conv.bias"), (0.25, 0.05)),
        **dict.fromkeys(("bn.weight", "bn.bias"), (0.5, 0.0)),
        **dict.fromkeys(("norm.weight", "norm.bias"), (1.0, 0.05)),
    }


def test_layer_decay_needs_layers():
    with pytest.raises(ConfigError, match=r"SOLVER.LAYER_DECAY: 0.5, but Linear does not say"):
        parameter_groups(nn.Linear(2, 3), weight_decay=0.0, layer_decay=0.5)


def test_exempt_name_must_exist():
    with pytest.raises(ValueError, match="positoins"):
        parameter_groups(Net(exempt=("positoins",)), weight_decay=0.05)


def test_nothing_to_train():
    with pytest.raises(ValueError, match="no trainable"):
        parameter_groups(nn.Linear(2, 3).requires_grad_(False), weight_decay=0.0)


@pytest.fixture
def recipe_of(reference_dir):
    """recipe_of(system) -> the case of param_groups_and_schedules_a.json with the public code's groups."""
    cases = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    return {case["system"]: case for case in cases}.__getitem__


def _expected(case):
    trained = [parameter for parameter in case["parameters"] if parameter["trained"]]
    return {entry["name"]: pytest.approx((entry["lr_scale"], entry["weight_decay"]), rel=1e-12) for entry in trained}


def test_video_vit_has_videomaes_groups(recipe_of):
    case = recipe_of("VideoMAE-finetune")
    sizes = case["hyper_parameters"]
    model = VideoViT(
        sizes["num_classes"],
        sizes["num_frames"],
        sizes["image_size"],
        patch_size=sizes["patch_size"],
        tubelet_size=sizes["tubelet_size"],
        embed_dim=sizes["embed_dim"],
        depth=sizes["depth"],
        num_heads=sizes["num_heads"],
    )
    decays = {"weight_decay": case["weight_decay"], "layer_decay": case["layer_decay"], "no_decay_1d": True}
    assert _by_name(model, **decays) == _expected(case)


def test_xvit_has_its_recipes_groups(recipe_of):
    case = recipe_of("XViT")
    sizes = case["hyper_parameters"]
    model = XViT(
        sizes["num_classes"],
        sizes["num_frames"],
        patch_size=sizes["patch_size"],
        embed_dim=sizes["embed_dim"],
        depth=sizes["depth"],
        num_heads=sizes["num_heads"],
        pretrain_image_size=sizes["pretrain_image_size"],
        head_heads=sizes["num_heads"],
        head_mlp_dim=sizes["embed_dim"],
    )
    model.new_fc.requires_grad_(True)  # the public code lists it, though it never gets a gradient
    assert _by_name(model, weight_decay=case["weight_decay"]) == _expected(case)


class Named(nn.Module):
    """Names and shapes of a case, with layers counted as the recipes count them."""

    def __init__(self, shapes, exempt, depth):
        super().__init__()
        self.inner = module_of(shapes)
        self.exempt = exempt
        self.num_layers = depth

    def named_parameters(self, *args, **kwargs):
        return self.inner.named_parameters(*args, **kwargs)

    def no_weight_decay(self):
        return self.exempt

    def layer_of(self, name):
        if name.startswith("blocks."):
            return 1 + int(name.split(".")[1])
        return 0 if name.startswith(("patch_embed", "pos_embed", "cls_token")) else self.num_layers + 1


@pytest.mark.parametrize("system, file", [("ViT-LLaMA", "vit_llama_a"), ("EVA-video", "eva_video_a")])
def test_groups_of_other_recipes(recipe_of, reference_dir, system, file):
    case = recipe_of(system)
    ndims = {name: (1,) * len(shape) for name, shape in stored_shapes(_tensors(reference_dir, file)).items()}
    trained = {entry["name"]: ndims[entry["name"]] for entry in case["parameters"] if entry["trained"]}
    model = Named(trained, {"cls_token", "pos_embed"} & set(trained), case["num_blocks"])
    decays = {"weight_decay": case["weight_decay"], "layer_decay": case["layer_decay"], "no_decay_1d": True}
    assert _by_name(model, **decays) == _expected(case)


def test_groups_of_cast(recipe_of, reference_dir):
    """It exempts every name that holds one of its words; frozen parameters are in no group."""
    case = recipe_of("CAST")
    shapes = stored_shapes(_tensors(reference_dir, "cast_single_a"))
    trained = {entry["name"]: shapes[entry["name"]] for entry in case["parameters"] if entry["trained"]}
    patterns = [f"*{word}*" for word in case["no_decay_names"] if any(word in name for name in trained)]
    got = _by_name(
        Named(trained, set(), case["num_blocks"]),
        weight_decay=case["weight_decay"],
        layer_decay=case["layer_decay"],
        no_decay_1d=True,
        no_decay_patterns=patterns,
    )
    assert got == _expected(case)
    assert len(patterns) == 4


def _tensors(reference_dir, stem):
    return reference_dir / "parity" / f"{stem}.safetensors"


def test_groups_of_pyslowfast(reference_dir):
    """Its optimizer's groups, in any order."""
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["optimizer_groups"]["cases"]
    checked = 0
    for case in cases:
        solver = {key.removeprefix("SOLVER."): value for key, value in case["overrides"].items()}
        if case["model_case"] == "c2d_pub":  # batch norms are told by their type, which shapes do not show
            continue
        described = json.loads((reference_dir / f"parity/slowfast/{case['model_case']}.json").read_text())
        shapes = dict(described["state_dict"])  # no buffers among them
        exempt = {name for name in shapes if any(word in name for word in ("cls_token", "pos_embed", "rel_pos"))}
        model = Named(shapes, exempt, depth=3)
        groups = parameter_groups(
            model,
            weight_decay=solver["WEIGHT_DECAY"],
            no_decay_1d=solver["ZERO_WD_1D_PARAM"],
            layer_decay=solver.get("LAYER_DECAY", 1.0),
        )
        got = sorted((g["weight_decay"], round(g["lr_scale"], 12), _digest(g["names"])) for g in groups)
        wanted = [(g["weight_decay"], round(g["lr_factor"], 12), _digest_of(g)) for g in case["groups"]]
        assert got == sorted(wanted), case["name"]
        checked += 1
    assert checked == 2


def _digest_of(group):
    return group.get("params_sha1") or _digest(group["params"])


def _digest(names):
    return hashlib.sha1("\n".join(names).encode()).hexdigest()
