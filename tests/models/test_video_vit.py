"""VideoViT: sizes of the published models, tokens and positions, pooling, initial values, refusals."""

import gzip
import json

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.positions import resize_positions, sincos_positions
from slowfast.models.video_vit import VideoViT
from slowfast.models.vit import SIZES
from slowfast.utils.errors import ConfigError
from tests.models.sizes import clip_for, small_cfg

SMALL = {"patch_size": 4, "embed_dim": 24, "depth": 2, "num_heads": 3, "head_init_scale": 1.0}
FROM_SIZE = {f"VIDEO_VIT__{key}": 0 for key in ("EMBED_DIM", "DEPTH", "NUM_HEADS")}


def make(num_frames=4, crop_size=8, seed=0, **options):
    torch.manual_seed(seed)
    return VideoViT(5, num_frames, crop_size, **(SMALL | options)).eval()


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return torch.randn(2, 3, 4, 8, 8)


@pytest.mark.parametrize(
    "name, size",
    [
        ("videomae_s16_ssv2_174", "small"),
        ("videomae_s16_k400_400", "small"),
        ("videomae_b16_ssv2_174", "base"),
        ("videomae_b16_k400_400", "base"),
        ("videomae_l16_k400_400", "large"),
    ],
)
def test_published_size(reference_dir, name, size):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][name]
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as file:
        shapes = json.load(file)[name]
    hyper = facts["hyper_parameters"]
    cfg = small_cfg(
        "VideoViT",
        **FROM_SIZE,
        MODEL__NUM_CLASSES=hyper["num_classes"],
        DATA__NUM_FRAMES=hyper["num_frames"],
        DATA__TRAIN_CROP_SIZE=hyper["image_size"],
        VIDEO_VIT__SIZE=size,
        VIDEO_VIT__PATCH_SIZE=hyper["patch_size"],
        VIDEO_VIT__TUBELET_SIZE=hyper["tubelet_size"],
        VIDEO_VIT__POOLING=hyper["pooling"],
    )
    with torch.device("meta"):
        model = build_model(cfg)
    assert {key: list(tensor.shape) for key, tensor in model.state_dict().items()} == shapes
    assert count_parameters(model) == (facts["total_parameters"],) * 2
    compute = facts["compute"]
    expected = compute.get("fvcore_macs_per_clip", compute["matmul_and_conv_flops_per_clip"] / 2) / 1e9
    assert gmacs(model, facts["input_shape"]) == pytest.approx(expected, rel=0.01)


def test_huge_is_vit_h():
    """Width 1280, 32 blocks and 16 heads: Dosovitskiy et al. 2021, table 1; 632 M parameters for images."""
    assert SIZES["huge"] == (1280, 32, 16)
    with torch.device("meta"):
        model = build_model(
            small_cfg(
                "VideoViT",
                **FROM_SIZE,
                VIDEO_VIT__SIZE="huge",
                VIDEO_VIT__PATCH_SIZE=16,
                DATA__TRAIN_CROP_SIZE=224,
                DATA__TEST_CROP_SIZE=224,
            )
        )
    assert count_parameters(model)[0] == pytest.approx(632e6, rel=0.005)


def test_tokens_are_time_major_and_carry_the_fixed_table(clip):
    model = make()
    tokens = model.embed(clip) - sincos_positions(2 * 2 * 2, 24)  # (B, N, D)
    for index, (t, row, column) in enumerate([(t, r, c) for t in (0, 1) for r in (0, 1) for c in (0, 1)]):
        tubelet = clip[:, :, 2 * t : 2 * t + 2, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        expected = tubelet.flatten(1) @ model.patch_embed.proj.weight.flatten(1).T + model.patch_embed.proj.bias
        torch.testing.assert_close(tokens[:, index], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("positions", ["sincos", "learnt"])
@pytest.mark.parametrize("class_token", [False, True])
@pytest.mark.parametrize("pooling", ["mean", "token"])
def test_state_dict_and_pooling_of_every_variant(clip, positions, class_token, pooling):
    model = make(positions=positions, class_token=class_token, pooling=pooling)
    optional = {"pos_embed": positions == "learnt", "cls_token": class_token}
    optional |= {"fc_norm.weight": pooling == "mean", "norm.weight": pooling == "token"}
    state = model.state_dict()
    assert {name: name in state for name in optional} == optional
    assert model.no_weight_decay() == {name for name in ("pos_embed", "cls_token") if optional[name]}

    tokens = model.blocks(model.embed(clip))
    assert tokens.shape == (2, 8 + class_token, 24)
    if pooling == "mean":
        expected = nn.functional.layer_norm(tokens[:, int(class_token) :].mean(1), (24,), eps=1e-6)
    else:
        expected = nn.functional.layer_norm(tokens, (24,), eps=1e-6)[:, 0]
    torch.testing.assert_close(model(clip), model.head(expected))


def test_a_class_token_has_no_place_in_the_fixed_table(clip):
    model = make(class_token=True)
    nn.init.normal_(model.cls_token)
    tokens = model.embed(clip)
    assert torch.equal(tokens[:, :1], model.cls_token.expand(2, -1, -1))
    torch.testing.assert_close(tokens[:, 1:], make().embed(clip))


def test_learnt_positions_cover_class_token_and_patches(clip):
    model = make(class_token=True, positions="learnt")
    before = model.embed(clip)
    nn.init.normal_(model.pos_embed)
    assert model.pos_embed.shape == (1, 9, 24)
    assert not torch.allclose(model.embed(clip)[:, 0], before[:, 0])


def test_fixed_positions_are_neither_stored_nor_trained():
    model = make()
    assert "pos_embed" not in model.state_dict() and "pos_embed" not in dict(model.named_parameters())
    assert "pos_embed" in dict(model.named_buffers())


@pytest.mark.parametrize("class_token", [False, True])
def test_clips_of_another_size_get_resized_positions(class_token):
    model = make(class_token=class_token)
    nn.init.zeros_(model.patch_embed.proj.weight)
    nn.init.zeros_(model.patch_embed.proj.bias)
    table = model.embed(torch.zeros(1, 3, 8, 12, 16))[:, int(class_token) :]
    expected = resize_positions(sincos_positions(8, 24), (2, 2, 2), (4, 3, 4), num_prefix=0)
    torch.testing.assert_close(table, expected)
    assert model(torch.randn(1, 3, 8, 12, 16)).shape == (1, 5)


def test_a_clip_that_cannot_be_cut_is_refused():
    for size in ((3, 8, 8), (4, 9, 8), (4, 8, 6)):
        with pytest.raises(ValueError, match="patches"):
            make()(torch.randn(1, 3, *size))


def test_initial_values():
    """As released: linear layers 0.02, all biases zero, the classifier scaled by 0.001."""
    model = make(seed=3, embed_dim=240, class_token=True, positions="learnt", head_init_scale=0.001)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            expected = 0.02 * 0.001 if name == "head" else 0.02
            assert module.weight.std().item() == pytest.approx(expected, rel=0.2), name
            assert module.bias is None or module.bias.abs().max() == 0, name
    assert all(block.attn.q_bias.abs().max() == block.attn.v_bias.abs().max() == 0 for block in model.blocks)
    assert model.pos_embed.std().item() == pytest.approx(0.88 * 0.02, rel=0.1)
    assert model.cls_token.std().item() == pytest.approx(0.88 * 0.02, rel=0.2)


def test_depth_and_decay_of_parameters_as_in_the_recipe(reference_dir):
    models = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    (entry,) = [model for model in models if model["system"] == "VideoMAE-finetune"]
    model = make(depth=entry["num_blocks"])
    assert model.num_layers == 2
    depths = {name: model.layer_of(name) for name, _ in model.named_parameters()}
    assert depths == {parameter["name"]: parameter["layer_id"] for parameter in entry["parameters"]}
    everything = make(class_token=True, positions="learnt")
    assert everything.no_weight_decay() == set(entry["no_decay_names"])
    assert everything.layer_of("cls_token") == everything.layer_of("pos_embed") == 0


def test_where_drop_out_acts():
    cfg = small_cfg(
        "VideoViT",
        MODEL__DROPOUT_RATE=0.1,
        VIDEO_VIT__DROP_RATE=0.2,
        VIDEO_VIT__DROP_ATTN_RATE=0.3,
        VIDEO_VIT__DROP_PATH_RATE=0.4,
    )
    model = build_model(cfg)
    rates = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    inside = {"attn.proj_drop": 0.2, "mlp.hidden_drop": 0.0, "mlp.drop": 0.2}
    assert rates == {
        **{f"blocks.{i}.{name}": rate for i in (0, 1) for name, rate in inside.items()},
        "head_drop": 0.1,
    }
    assert [block.attn.attention_dropout for block in model.blocks] == [0.3, 0.3]
    assert [(block.drop_path.rate, block.drop_path.fold) for block in model.blocks] == [(0.0, 1), (0.4, 1)]


def test_other_keys_reach_the_model():
    cfg = small_cfg(
        "VideoViT",
        DATA__INPUT_CHANNEL_NUM=[4],
        MODEL__ACT_CHECKPOINT=True,
        VIDEO_VIT__TUBELET_SIZE=3,
        VIDEO_VIT__CLASS_TOKEN=True,
        VIDEO_VIT__POOLING="token",
        VIDEO_VIT__POSITIONS="learnt",
        VIDEO_VIT__MLP_RATIO=3.0,
        VIDEO_VIT__INIT_STD=0.1,
        VIDEO_VIT__HEAD_INIT_SCALE=0.01,
    )
    model = build_model(cfg)
    assert model.patch_embed.proj.weight.shape == (20, 4, 3, 8, 8)
    assert model.pos_embed.shape == (1, 1 + 2 * 3 * 3, 20)
    assert model.cls_token is not None and model.norm is not None and model.blocks.act_checkpoint
    assert model.blocks[1].mlp.fc1.weight.shape == (60, 20)
    assert model.blocks[1].mlp.fc1.weight.std().item() == pytest.approx(0.1, rel=0.2)
    assert model.head.weight.std().item() == pytest.approx(0.001, rel=0.3)
    assert {m.eps for m in model.modules() if isinstance(m, nn.LayerNorm)} == {1e-6}
    assert model(torch.randn(clip_for(cfg))).shape == (2, cfg.MODEL.NUM_CLASSES)


def test_all_sizes_that_do_not_fit_are_told_at_once():
    cfg = small_cfg(
        "VideoViT",
        DATA__NUM_FRAMES=7,
        DATA__TRAIN_CROP_SIZE=225,
        DATA__TEST_CROP_SIZE=20,
        VIDEO_VIT__NUM_HEADS=3,
    )
    with pytest.raises(ConfigError) as error:
        build_model(cfg)
    assert error.value.problems == [
        "DATA.NUM_FRAMES 7 must be a multiple of VIDEO_VIT.TUBELET_SIZE 2.",
        "DATA.TRAIN_CROP_SIZE 225 must be a multiple of VIDEO_VIT.PATCH_SIZE 8.",
        "VIDEO_VIT.NUM_HEADS 3 must be a divisor of VIDEO_VIT.EMBED_DIM 20: 1, 2, 4, 5, 10, 20.",
        "DATA.TEST_CROP_SIZE 20 must be a multiple of VIDEO_VIT.PATCH_SIZE 8.",
    ]


def test_one_problem_of_the_test_crop_alone_is_told():
    with pytest.raises(ConfigError, match=r"DATA.TEST_CROP_SIZE 20"):
        build_model(small_cfg("VideoViT", DATA__TEST_CROP_SIZE=20))


def test_unknown_names_are_told():
    with pytest.raises(ConfigError, match=r"VIDEO_VIT.POOLING 'max' is unknown; known: mean, token"):
        make(pooling="max")
    with pytest.raises(ConfigError, match=r"VIDEO_VIT.POSITIONS 'none' is unknown; known: sincos, learnt"):
        make(positions="none")
