"""CAST against the released network's golden cases, sizes, parameter groups, and what its description says of it."""

import gzip
import json
from itertools import product

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from projects.cast.model import CAST, is_expert
from projects.cast.parity import cast_of
from projects.cast.tests.sizes import CROP, FRAMES, clip, small_cast
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.attention import IMPLEMENTATIONS
from slowfast.models.video_vit import VideoViT
from slowfast.parity import check_case, read_case
from slowfast.solver.param_groups import parameter_groups
from slowfast.utils.errors import ConfigError

WAYS = list(product([torch.float32, torch.float64], IMPLEMENTATIONS, (False, True)))


@pytest.mark.parametrize("dtype, attention, recompute", WAYS, ids=lambda value: str(value))
def test_golden_cases(reference_dir, dtype, attention, recompute):
    paths = [path for kind in ("single", "compositional") for path in reference_dir.glob(f"parity/cast_{kind}_*.json")]
    assert paths
    for path in paths:
        result = check_case(read_case(path), dtype=dtype, attention=attention, act_checkpoint=recompute)
        assert result.passed, f"{path.stem}: {result}"


@pytest.mark.parametrize("name", ["cast_b16_ssv2_174", "cast_b16_k400_400", "cast_b16_epic_97v_300n"])
def test_published_sizes(reference_dir, name):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][name]
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as file:
        shapes = json.load(file)[name]
    with torch.device("meta"):
        model = CAST((97, 300) if "epic" in name else facts["hyper_parameters"]["num_classes"], 16, 224)
    assert {key: list(tensor.shape) for key, tensor in model.state_dict().items()} == dict(shapes)
    trained = facts["trained_parameters_in_finetuning"]
    assert count_parameters(model) == (facts["total_parameters"], trained)
    published = facts["compute"].get("fvcore_macs_per_clip")
    assert published is None or gmacs(model, (1, 3, 16, 224, 224)) == published / 1e9


def test_what_is_trained(reference_dir):
    for path in reference_dir.glob("parity/cast_*_a.json"):
        manifest = json.loads(path.read_text())
        if "state_dict" in manifest:
            model = cast_of(manifest["hyper_parameters"])
            told = {entry["key"]: entry["trained"] for entry in manifest["state_dict"]}
            assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == told
    assert all(parameter.requires_grad for parameter in small_cast(train_experts=True).parameters())


def test_parameter_groups(reference_dir):
    models = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    told = next(entry for entry in models if entry["system"] == "CAST")
    model = cast_of(told["hyper_parameters"])
    groups = parameter_groups(
        model, weight_decay=told["weight_decay"], no_decay_1d=True, layer_decay=told["layer_decay"]
    )
    found = {name: (group["lr_scale"], group["weight_decay"]) for group in groups for name in group["names"]}
    expected = {e["name"]: (e["lr_scale"], e["weight_decay"]) for e in told["parameters"] if e["trained"]}
    assert found.keys() == expected.keys()
    for name, pair in expected.items():
        assert found[name] == pytest.approx(pair), name


def test_at_the_start_the_experts_are_untouched():
    """The temporal stream is then VideoMAE's network, which stands in the core."""
    model = small_cast(random=False).eval()
    plain = VideoViT(5, FRAMES, CROP, patch_size=8, embed_dim=24, depth=3, num_heads=3, mlp_ratio=3).eval()
    shared = {name: tensor for name, tensor in model.state_dict().items() if name in plain.state_dict()}
    names = plain.load_state_dict(shared, strict=False).missing_keys
    assert set(names) == {"fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"}
    torch.testing.assert_close(model.features(clip())[1], plain.pool(plain.blocks(plain.embed(clip()))))


def test_chosen_blocks_exchange():
    model = small_cast(exchange_blocks=[1])
    assert [block.exchanges for block in model.blocks] == [False, True, False]
    assert {name.split(".")[1] for name in model.state_dict() if "cross" in name} == {"1"}


def test_the_exchange_joins_the_streams():
    """Verbs hang on the temporal stream: without exchange even frames alone can change nothing of the nouns."""
    changed = clip()
    changed[:, :, ::2] += 1  # the spatial stream sees the odd frames only
    for blocks, joined in ((None, True), ([], False)):
        model = small_cast(exchange_blocks=blocks).eval()
        (verb, noun), (other_verb, other_noun) = (model(x).split([5, 7], dim=-1) for x in (clip(), changed))
        assert not torch.allclose(verb, other_verb)
        assert torch.allclose(noun, other_noun) != joined


def test_drop_path_is_per_clip_in_both_streams():
    model = small_cast(drop_path=0.9).train()
    block = model.blocks[-1]
    space, time, _grid = model.embed(clip(batch=6))
    torch.manual_seed(3)
    dropped = block._drop(torch.ones_like(space), time).unflatten(0, (6, -1))  # (B, T, 1 + S, D)
    assert {len(one.unique()) for one in dropped} == {1} and len(dropped.unique()) == 2
    assert [round(block.drop_path.rate, 6) for block in model.blocks] == [0, 0.45, 0.9]


def test_clips_of_other_sizes_are_taken():
    model = small_cast().eval()
    assert model(clip(frames=4, crop=32)).shape == (2, 12)
    assert torch.equal(model(clip()), model(clip()))
    with pytest.raises(ValueError, match="cannot be cut"):
        model(clip(frames=5))


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"down_ratio": 5}, "CAST.DOWN_RATIO 5"),
        ({"num_heads": 7}, "CAST.NUM_HEADS 7"),
        ({"exchange_blocks": [1, 3]}, r"CAST.EXCHANGE_BLOCKS \[3\]"),
        ({"patch_size": 5}, "DATA.TRAIN_CROP_SIZE 16 must be a multiple of CAST.PATCH_SIZE 5"),
        ({"adapter_ratio": 0.01}, "CAST.ADAPTER_RATIO"),
    ],
)
def test_sizes_that_do_not_fit(changes, told):
    with pytest.raises(ConfigError, match=told):
        small_cast(**changes)


def test_an_odd_number_of_frames():
    with pytest.raises(ConfigError, match=r"DATA\.NUM_FRAMES 7 must be even"):
        CAST(3, FRAMES - 1, CROP, patch_size=8)


class MatrixProducts(TorchDispatchMode):
    """Shapes of the results of all matrix products and convolution gradients within the block."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            self.shapes.append(tuple(result.shape))
        elif function.overloadpacket is torch.ops.aten.convolution_backward:
            self.shapes += [tuple(tensor.shape) for tensor in result if tensor is not None]
        return result


def test_no_weight_gradient_of_a_frozen_matrix_is_computed():
    """A weight's gradient is a product of the weight's shape; the sizes are such that nothing else has these shapes."""
    model = small_cast().train()
    assert all(parameter.requires_grad != is_expert(name) for name, parameter in model.named_parameters())
    logits = model(clip())
    with MatrixProducts() as backward:
        logits.sum().backward()
    matrices = [parameter for name, parameter in model.named_parameters() if name.endswith("weight")]
    frozen = {tuple(p.shape) for p in matrices if p.ndim > 1 and not p.requires_grad}
    trained = [tuple(p.shape) for p in matrices if p.ndim > 1 and p.requires_grad]
    assert not frozen & set(trained)
    assert not frozen & set(backward.shapes)
    computed = sum(shape in trained for shape in backward.shapes)
    assert computed == len(trained) + 2 * len(model.blocks)  # packed keys and values come in halves, shaped as queries
