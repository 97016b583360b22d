"""ViTLLaMA: sizes of the published models, what is trained, the control without layers, refusals."""

import gzip
import json

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.video_vit import VideoViT
from slowfast.models.vit_llama import ViTLLaMA
from slowfast.solver.ema import MovingAverage
from slowfast.solver.optimizer import build_optimizer
from slowfast.solver.param_groups import parameter_groups
from slowfast.utils.errors import ConfigError
from tests.models.sizes import clip_for, small_cfg


def small(seed=0, **changes):
    torch.manual_seed(seed)
    return build_model(small_cfg("ViTLLaMA", **changes))


@pytest.mark.parametrize("file", ["vit_llama_s16_ssv2", "vit_llama_b16_ssv2"])
def test_published_size(repo, reference_dir, file):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][f"{file}_174"]
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as packed:
        shapes = json.load(packed)[f"{file}_174"]
    with torch.device("meta"):
        model = build_model(load_cfg(repo / f"configs/SSv2/{file}.yaml", ["VIT_LLAMA.DTYPE", "fp32"]))
    assert {key: list(tensor.shape) for key, tensor in model.state_dict().items()} == shapes
    assert len(shapes) == facts["state_dict_entries"]
    assert count_parameters(model) == (facts["total_parameters"], facts["trained_parameters_in_finetuning"])
    compute = facts["compute"]
    assert gmacs(model, facts["input_shape"]) == pytest.approx(compute["fvcore_macs_per_clip"] / 1e9, rel=0.01)


@pytest.mark.parametrize("storage, size", [("fp32", 4), ("bf16", 2), ("int8", 1)])
def test_bytes_that_a_layer_of_7b_takes(storage, size):
    with torch.device("meta"):
        model = ViTLLaMA(174, 16, 224, storage=storage)
    held = sum(parameter.numel() * parameter.element_size() for parameter in model.llama.parameters())
    scales = 202_375_168 / 16 * 2 if storage == "int8" else 0
    assert held == 202_375_168 * size + 3 * 4096 * 4 + scales


def test_groups_of_the_recipe(reference_dir):
    models = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    (case,) = [model for model in models if model["system"] == "ViT-LLaMA"]
    model = small(VIDEO_VIT__DEPTH=case["num_blocks"], VIT_LLAMA__NUM_LAYERS=1)
    groups = parameter_groups(
        model, weight_decay=case["weight_decay"], layer_decay=case["layer_decay"], no_decay_1d=True
    )
    found = {name: (group["weight_decay"], group["lr_scale"]) for group in groups for name in group["names"]}
    trained = [entry for entry in case["parameters"] if entry["trained"]]
    assert found == {
        entry["name"]: (entry["weight_decay"], pytest.approx(entry["lr_scale"], rel=1e-9)) for entry in trained
    }


def test_it_is_a_video_vit_with_something_before_the_pooling():
    model = small().eval()
    torch.manual_seed(0)
    plain = build_model(small_cfg("VideoViT"))
    own = model.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in plain.state_dict().items())  # the same seed's start
    clip = torch.randn(clip_for(small_cfg("ViTLLaMA")))
    tokens = model.llama(model.llama_dim_mapper1(model.blocks(model.embed(clip))))
    expected = model.head(nn.functional.layer_norm(model.llama_dim_mapper2(tokens).mean(dim=1), (20,), eps=1e-6))
    torch.testing.assert_close(model(clip), expected)


def test_maps_start_as_torch_starts_linear_layers():
    """Uniform within 1 / sqrt(inputs); not the 0.02 of the vision part."""
    model = small(VIDEO_VIT__EMBED_DIM=40, VIT_LLAMA__DIM=96)
    for mapper, inputs in ((model.llama_dim_mapper1, 40), (model.llama_dim_mapper2, 96)):
        assert mapper.bias is None
        assert mapper.weight.abs().max().item() == pytest.approx(inputs**-0.5, rel=0.01)
        assert mapper.weight.std().item() == pytest.approx((3 * inputs) ** -0.5, rel=0.05)


@pytest.fixture
def alone_in_a_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("storage", ["fp32", "bf16", "int8"])
def test_frozen_layers_cost_nothing(alone_in_a_group, storage):
    """No gradient, no optimizer state, no place in DDP's buckets, no moving average."""
    cfg = small_cfg("ViTLLaMA", VIT_LLAMA__DTYPE=storage, SOLVER__OPTIMIZING_METHOD="adamw")
    model = build_model(cfg)
    trained = {name for name in model.state_dict() if not name.startswith("llama.")}
    before = {name: parameter.clone() for name, parameter in model.llama.named_parameters()}
    optimizer = build_optimizer(model, cfg, 0.1)
    wrapped = DistributedDataParallel(model)
    wrapped(torch.randn(clip_for(cfg))).square().sum().backward()
    optimizer.step()
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == trained
    assert {name for group in optimizer.param_groups for name in group["names"]} == trained
    logged = wrapped._get_ddp_logging_data()
    sizes = [parameter.numel() * 4 for name, parameter in model.named_parameters() if name in trained]
    assert (logged["num_parameter_tensors"], logged["total_parameter_size_bytes"]) == (len(trained), sum(sizes))
    assert MovingAverage(model, 0.9).state_dict().keys() == trained
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.llama.named_parameters())


def test_patterns_cannot_train_frozen_layers():
    model = small(MODEL__TRAINABLE=["llama", "head"])
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == {
        "head.weight",
        "head.bias",
    }


def test_the_control_trains_as_many_parameters():
    """GELU and a LayerNorm between the same two maps."""
    model, control = small().eval(), small(VIT_LLAMA__BETWEEN="mlp").eval()
    assert count_parameters(control) == (count_parameters(model)[1],) * 2
    clip = torch.randn(clip_for(small_cfg("ViTLLaMA")))
    wide = control.llama_dim_mapper1(control.blocks(control.embed(clip)))
    wide = nn.functional.layer_norm(nn.functional.gelu(wide), (48,))
    torch.testing.assert_close(control(clip), control.head(control.pool(control.llama_dim_mapper2(wide))))


def test_keys_reach_the_model():
    cfg = small_cfg("ViTLLaMA", VIT_LLAMA__NORM_EPS=0.1, VIT_LLAMA__DTYPE="bf16", MODEL__ACT_CHECKPOINT=True)
    model = build_model(cfg)
    layer = model.llama.layers[1]
    assert len(model.llama.layers) == 2 and model.llama.layers.act_checkpoint
    assert (layer.attention.num_heads, layer.attention.num_kv_heads) == (6, 2)
    assert layer.attention.wk.weight.shape == (16, 48) and layer.feed_forward.w1.weight.shape == (56, 48)
    assert layer.attention.wq.weight.dtype == torch.bfloat16
    assert {layer.attention_norm.eps, layer.ffn_norm.eps, model.llama.norm.eps} == {0.1}
    assert small(VIT_LLAMA__NUM_KV_HEADS=0).llama.layers[0].attention.num_kv_heads == 6
    assert isinstance(model, VideoViT) and model.num_layers == 2 and model.layer_of("llama_dim_mapper1.weight") == 3


def test_all_sizes_that_do_not_fit_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        small(VIDEO_VIT__NUM_HEADS=3, VIT_LLAMA__NUM_HEADS=5, VIT_LLAMA__NUM_KV_HEADS=4, DATA__TEST_CROP_SIZE=20)
    assert error.value.problems == [
        "VIDEO_VIT.NUM_HEADS 3 must be a divisor of VIDEO_VIT.EMBED_DIM 20: 1, 2, 4, 5, 10, 20.",
        "VIT_LLAMA.NUM_HEADS 5 must be a divisor of VIT_LLAMA.DIM 48: 1, 2, 3, 4, 6, 8, 12, 16, 24, 48.",
        "VIT_LLAMA.NUM_KV_HEADS 4 must be a divisor of VIT_LLAMA.NUM_HEADS 5: 1, 5.",
        "DATA.TEST_CROP_SIZE 20 must be a multiple of VIDEO_VIT.PATCH_SIZE 8.",
    ]
    with pytest.raises(ConfigError, match=r"VIT_LLAMA\.DTYPE 'fp8' is unknown; known: fp32, bf16, int8"):
        ViTLLaMA(5, 4, 16, storage="fp8")
