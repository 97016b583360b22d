"""EVAVideo: published sizes, what it pools, where it stays float32, what it refuses."""

import gzip
import json

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.build import clip_divisors
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.eva_video import EVAVideo
from slowfast.utils.errors import ConfigError
from tests.models.sizes import clip_for, small_cfg

SMALL = {"patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3, "mlp_dim": 40, "head_init_scale": 1.0}
FROM_SIZE = {f"EVA_VIDEO__{key}": 0 for key in ("EMBED_DIM", "DEPTH", "NUM_HEADS", "MLP_DIM")}


def make(num_frames=3, crop_size=8, seed=0, **options):
    torch.manual_seed(seed)
    return EVAVideo(5, num_frames, crop_size, **(SMALL | options)).eval()


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return torch.randn(2, 3, 3, 8, 8)


@pytest.mark.parametrize(
    "name", ["eva_1b_video_k722_8f", "eva_1b_video_k400_16f", "eva_1b_video_k600_16f", "eva_1b_video_k700_16f"]
)
def test_published_size(reference_dir, name):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][name]
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as file:
        shapes = json.load(file)[name]
    hyper = facts["hyper_parameters"]
    cfg = small_cfg(
        "EVAVideo",
        **FROM_SIZE,
        MODEL__NUM_CLASSES=hyper["num_classes"],
        DATA__NUM_FRAMES=hyper["num_frames"],
        DATA__TRAIN_CROP_SIZE=hyper["image_size"],
        DATA__TEST_CROP_SIZE=hyper["image_size"],
        EVA_VIDEO__PATCH_SIZE=hyper["patch_size"],
        EVA_VIDEO__TUBELET_SIZE=hyper["tubelet_size"],
    )
    assert cfg.EVA_VIDEO.SIZE == "giant"
    with torch.device("meta"):
        model = build_model(cfg)
    assert {key: list(tensor.shape) for key, tensor in model.state_dict().items()} == shapes
    assert len(shapes) == facts["state_dict_entries"]
    assert count_parameters(model) == (facts["total_parameters"],) * 2
    batch, frames, channels, *size = facts["input_shape"]
    expected = facts["compute"]["matmul_and_conv_flops_per_clip"] / 2e9
    assert gmacs(model, (batch, channels, frames, *size)) == pytest.approx(expected, rel=0.01)
    assert model.blocks[0].attn.num_heads == hyper["num_heads"]


def test_mean_of_the_patches_without_the_class_token(clip):
    model = make()
    tokens = model.blocks(model.embed(clip))
    assert tokens.shape == (2, 1 + 3 * 2 * 2, 24)
    pooled = nn.functional.layer_norm(tokens[:, 1:].mean(1), (24,), eps=1e-6)
    torch.testing.assert_close(model(clip), model.head(pooled))
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {1e-6}


def test_tokens_are_time_major_behind_the_class_token(clip):
    model = make()
    tokens = model.embed(clip) - model.pos_embed
    torch.testing.assert_close(tokens[:, :1], model.cls_token.expand(2, -1, -1), rtol=1e-4, atol=1e-6)
    for index, (t, row, column) in enumerate((t, r, c) for t in range(3) for r in (0, 1) for c in (0, 1)):
        patch = clip[:, :, t : t + 1, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        expected = patch.flatten(1) @ model.patch_embed.proj.weight.flatten(1).T + model.patch_embed.proj.bias
        torch.testing.assert_close(tokens[:, 1 + index], expected, rtol=1e-4, atol=1e-5)


def test_positions_of_other_clips_are_trilinear():
    model = make()
    nn.init.zeros_(model.patch_embed.proj.weight)
    nn.init.zeros_(model.patch_embed.proj.bias)
    nn.init.normal_(model.pos_embed)
    cube = model.pos_embed[0, 1:].T.unflatten(1, (3, 2, 2))[None]  # (1, D, T, rows, columns)
    expected = nn.functional.interpolate(cube, size=(5, 3, 4), mode="trilinear", align_corners=False)
    table = model.embed(torch.zeros(1, 3, 5, 12, 16))[0, 1:]
    torch.testing.assert_close(table, expected[0].flatten(1).T, rtol=1e-4, atol=1e-5)


def test_float32_where_the_released_code_has_it(clip):
    """bfloat16 autocast: the stream between blocks, what norms give and what the head's norm sees stay float32."""
    model, seen = make(), {}

    def note(name):
        return lambda module, inputs, output: seen.update({name: (inputs[0].dtype, output.dtype)})

    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm | nn.Linear) or name in ("blocks.0", "blocks.1"):
            module.register_forward_hook(note(name))
    with torch.autocast("cpu", torch.bfloat16):
        model(clip)
    full, half = torch.float32, torch.bfloat16
    for name in ("blocks.0", "blocks.1", "blocks.0.norm1", "blocks.1.norm2", "fc_norm"):
        assert seen[name] == (full, full), name
    for name in ("blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.1.mlp.fc2", "head"):
        assert seen[name][1] == half, name


def test_keys_reach_the_model():
    cfg = small_cfg(
        "EVAVideo",
        DATA__INPUT_CHANNEL_NUM=[4],
        MODEL__ACT_CHECKPOINT=True,
        MODEL__DROPOUT_RATE=0.3,
        EVA_VIDEO__DROP_PATH_RATE=0.4,
        EVA_VIDEO__INIT_STD=0.1,
        EVA_VIDEO__PRETRAIN_NUM_FRAMES=12,
        EVA_VIDEO__PRETRAIN_CROP_SIZE=40,
        EVA_VIDEO__INTERPOLATE=True,
    )
    model = build_model(cfg)
    assert model.patch_embed.proj.weight.shape == (20, 4, 2, 8, 8)
    assert model.pos_embed.shape == (1, 1 + 3 * 3 * 3, 20)
    assert model.blocks[1].mlp.fc1.weight.shape == (44, 20) and model.blocks.act_checkpoint
    assert model.blocks[1].mlp.fc1.weight.std().item() == pytest.approx(0.1, rel=0.2)
    assert [block.drop_path.rate for block in model.blocks] == [0.0, 0.4]
    assert model.head_drop.p == 0.3 and model.stored_grid == (6, 5, 5)
    assert clip_divisors(cfg) == (2, 8)
    assert model(torch.randn(clip_for(cfg))).shape == (2, cfg.MODEL.NUM_CLASSES)
    wider = build_model(small_cfg("EVAVideo", EVA_VIDEO__EMBED_DIM=24, EVA_VIDEO__MLP_DIM=0))
    assert wider.blocks[0].mlp.fc1.out_features == 96


def test_depth_and_decay_of_parameters(reference_dir):
    models = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    entries = [model for model in models if model["system"].startswith("EVA")]
    for entry in entries:
        model = make(depth=entry["num_blocks"])
        depths = {name: model.layer_of(name) for name, _ in model.named_parameters()}
        assert depths == {parameter["name"]: parameter["layer_id"] for parameter in entry["parameters"]}
    assert make().no_weight_decay() == {"pos_embed", "cls_token"}


def test_all_sizes_that_do_not_fit_are_told_at_once():
    cfg = small_cfg(
        "EVAVideo",
        DATA__NUM_FRAMES=7,
        DATA__TRAIN_CROP_SIZE=225,
        DATA__TEST_CROP_SIZE=20,
        EVA_VIDEO__NUM_HEADS=3,
        EVA_VIDEO__PRETRAIN_CROP_SIZE=40,
        EVA_VIDEO__INTERPOLATE=False,
        MULTIGRID__LONG_CYCLE=True,
    )
    with pytest.raises(ConfigError) as error:
        build_model(cfg)
    assert error.value.problems == [
        "DATA.NUM_FRAMES 7 must be a multiple of EVA_VIDEO.TUBELET_SIZE 2.",
        "DATA.TRAIN_CROP_SIZE 225 must be a multiple of EVA_VIDEO.PATCH_SIZE 8.",
        "EVA_VIDEO.NUM_HEADS 3 must be a divisor of EVA_VIDEO.EMBED_DIM 20: 1, 2, 4, 5, 10, 20.",
        "EVA_VIDEO.PRETRAIN_CROP_SIZE needs EVA_VIDEO.PRETRAIN_NUM_FRAMES beside it, which is 0.",
        "DATA.TEST_CROP_SIZE 20 must be a multiple of EVA_VIDEO.PATCH_SIZE 8.",
        "DATA.TEST_CROP_SIZE 20 is not DATA.TRAIN_CROP_SIZE 225, and EVA_VIDEO.INTERPOLATE is False; make them equal "
        "or set it True.",
        "MULTIGRID trains clips of several sizes, and EVA_VIDEO.INTERPOLATE is False; set it True.",
    ]
