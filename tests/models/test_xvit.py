"""XViT: sizes of the published models, what sees what in time, initial values, refusals."""

import gzip
import json

import pytest
import torch
from torch import nn

from slowfast.models import build_model
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.time_shift import TimeShift
from slowfast.models.xvit import XViT
from slowfast.utils.errors import ConfigError
from tests.models.sizes import clip_for, small_cfg

SIZES = {
    "patch_size": 4,
    "embed_dim": 24,
    "num_heads": 3,
    "pretrain_image_size": 8,
    "head_heads": 2,
    "head_mlp_dim": 10,
}
FULL_SIZE = ["xvit_b16_ssv2_174", "xvit_b16_k400_400", "xvit_b16_k600_600"]


def make(num_frames=4, seed=0, **options):
    torch.manual_seed(seed)
    defaults = {"depth": 2, "num_temporal_embeddings": num_frames, "num_segments": num_frames, "shift_blocks": (0, 1)}
    return XViT(5, num_frames, **(SIZES | defaults | options)).eval()


@pytest.fixture
def clip():
    torch.manual_seed(1)
    return torch.randn(2, 3, 4, 8, 8)


@pytest.mark.parametrize("name", FULL_SIZE)
def test_published_size(reference_dir, name):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][name]
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as file:
        shapes = json.load(file)[name]
    hyper = facts["hyper_parameters"]
    cfg = small_cfg(
        "XViT",
        MODEL__NUM_CLASSES=hyper["num_classes"],
        DATA__NUM_FRAMES=hyper["num_frames"],
        DATA__TRAIN_CROP_SIZE=hyper["image_size"],
        DATA__TEST_CROP_SIZE=hyper["image_size"],
        XVIT__BASE_MODEL="vit_base_patch16_224",
        **{f"XVIT__{key}": 0 for key in ("PATCH_SIZE", "EMBED_DIM", "DEPTH", "NUM_HEADS")},
        XVIT__LOCATIONS_LIST=hyper["shift_blocks"],
        XVIT__NUM_SEGMENTS=hyper["num_segments"],
        XVIT__SHIFT_DIV=hyper["shift_div"],
        XVIT__NUM_TEMPORAL_EMBEDDINGS=hyper["num_temporal_embeddings"],
        XVIT__PRETRAIN_IMAGE_SIZE=hyper["pretrain_image_size"],
        TEMPORAL_HEAD__HIDDEN_DIM=hyper["embed_dim"],
        TEMPORAL_HEAD__MLP_DIM=hyper["temporal_head_mlp_dim"],
        TEMPORAL_HEAD__NUM_ATTENTION_HEADS=hyper["temporal_head_heads"],
    )
    with torch.device("meta"):
        model = build_model(cfg)
    total, trainable = count_parameters(model)
    assert {key: list(tensor.shape) for key, tensor in model.state_dict().items()} == shapes
    assert total == facts["total_parameters"]
    assert total - trainable == facts["parameters_present_but_unused"]
    compute = facts["compute"]
    expected = compute.get("fvcore_macs_per_clip", compute["matmul_and_conv_flops_per_clip"] / 2) / 1e9
    assert gmacs(model, facts["input_shape"]) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "size, expected", [("small", (384, 12, 6)), ("base", (768, 12, 12)), ("large", (1024, 24, 16))]
)
def test_a_base_model_names_the_size_and_explicit_keys_override_it(size, expected):
    unset = {f"XVIT__{key}": 0 for key in ("PATCH_SIZE", "EMBED_DIM", "DEPTH", "NUM_HEADS")}
    keys = unset | {
        "XVIT__BASE_MODEL": f"vit_{size}_patch8_224",
        "XVIT__DEPTH": 3,
        "XVIT__PRETRAIN_IMAGE_SIZE": 24,
        "TEMPORAL_HEAD__HIDDEN_DIM": expected[0],
        "TEMPORAL_HEAD__NUM_ATTENTION_HEADS": 2,
    }

    def build(**changes):
        with torch.device("meta"):
            return build_model(small_cfg("XViT", **(keys | changes))).base_model

    model = build()
    assert model.patch_embed.patch == (8, 8)
    assert (model.cls_token.shape[-1], len(model.blocks), model.blocks[0].attn.num_heads) == (
        expected[0],
        3,
        expected[2],
    )
    assert model.blocks[0].mlp.fc1.out_features == 4 * expected[0]
    assert len(build(XVIT__DEPTH=0).blocks) == expected[1]
    assert build(XVIT__MLP_RATIO=2.5).blocks[0].mlp.fc1.out_features == 2.5 * expected[0]


@pytest.mark.parametrize("num_segments, sees_all", [(2, False), (4, True)])
def test_the_shift_stays_within_its_segments(clip, num_segments, sees_all):
    """Of two blocks: frame 0 feels frame 2 (two steps away) only where their segment is one."""
    encoder = make(num_segments=num_segments).base_model
    features = encoder(clip.transpose(1, 2).flatten(0, 1))
    later = clip.clone()
    later[:, :, 2] += 1.0
    changed = (encoder(later.transpose(1, 2).flatten(0, 1)) != features).any(dim=1).reshape(2, 4)
    assert changed[:, 2:].all()
    assert (changed[:, :2] == sees_all).all()


def test_blocks_outside_the_list_do_not_mix_and_indices_beyond_the_depth_are_ignored(clip):
    model = make(shift_blocks=(1, 5, 14))
    assert [block.attn.mix_keys_values is not None for block in model.base_model.blocks] == [False, True]
    assert model(clip).shape == (2, 5)


def test_temporal_embeddings_repeat_over_groups_of_frames():
    """Four embeddings for eight frames: equal frames 1 and 5 look the same before any mixing, 1 and 2 do not."""
    encoder = make(num_frames=8, num_temporal_embeddings=4, shift_blocks=()).base_model
    nn.init.normal_(encoder.temp_embed)
    features = encoder(torch.randn(1, 3, 8, 8).expand(8, -1, -1, -1))
    assert torch.equal(features[1], features[5])
    assert not torch.allclose(features[1], features[2])


def test_average_consensus_is_the_mean_over_all_frames(clip):
    model = make(consensus="avg", num_segments=2)
    logits = model.new_fc(model.base_model(clip.transpose(1, 2).flatten(0, 1)))  # (B * F, K)
    torch.testing.assert_close(model(clip), torch.stack([logits[:4].mean(0), logits[4:].mean(0)]))


def test_only_the_consensus_in_use_trains():
    assert not any(p.requires_grad for p in make(consensus="vit").new_fc.parameters())
    assert all(p.requires_grad for p in make(consensus="avg").parameters())


def test_other_frame_sizes_are_taken_at_run_time(clip):
    model = make()
    assert model(torch.randn(1, 3, 4, 16, 12)).shape == (1, 5)
    with pytest.raises(ValueError, match="patches"):
        model(torch.randn(1, 3, 4, 16, 13))


@pytest.mark.parametrize("consensus", ["vit", "avg"])
@pytest.mark.parametrize(
    ("built", "groups", "given", "groups_given"), [(8, 2, 4, 2), (8, 4, 2, 2), (4, 1, 6, 1), (6, 3, 5, 1)]
)
def test_other_numbers_of_frames_are_taken_at_run_time(consensus, built, groups, given, groups_given):
    """As a model that was built for them, with the temporal embeddings resized; then as before."""
    torch.manual_seed(5)
    clips = [torch.randn(2, 3, frames, 8, 8) for frames in (built, given)]
    sizes = {"num_temporal_embeddings": built // groups, "num_segments": built // groups, "temp_init_std": 1.0}
    model = make(built, consensus=consensus, fc_init_std=1.0, init_std=0.3, **sizes)
    before = model(clips[0])
    sizes = {"num_temporal_embeddings": given // groups_given, "num_segments": given // groups_given}
    other = make(given, consensus=consensus, **sizes)
    state = model.state_dict()
    table = state["base_model.temp_embed"][0, :, 0].T[None]  # (1, D, E)
    table = torch.nn.functional.interpolate(table, size=given // groups_given, mode="linear", align_corners=False)
    state["base_model.temp_embed"] = table[0].T[None, :, None]
    other.load_state_dict(state)
    torch.testing.assert_close(model(clips[1]), other(clips[1]))
    assert torch.equal(model(clips[0]), before)


def test_paths_are_dropped_clip_by_clip_whatever_their_length():
    """All frames of a clip of 6 share the draw in a model built for 4."""
    model = make(4, drop_path=0.5, dropout=0.0, init_std=0.3, depth=2, shift_blocks=()).train()
    frame = torch.randn(1, 3, 8, 8)
    model.base_model.temp_embed.data.zero_()
    torch.manual_seed(0)
    features = model.base_model(frame.expand(16 * 6, -1, -1, -1), 6).unflatten(0, (16, 6)).detach()
    assert (features == features[:, :1]).all()
    assert len(features[:, 0, 0].unique()) == 4  # with or without each of two branches


def test_initial_values():
    """As the released recipe says: temporal embeddings and the head's class token start at zero."""
    model = make(seed=3, embed_dim=240)
    assert model.base_model.pos_embed.std().item() == pytest.approx(0.88 * 0.02, rel=0.1)
    assert model.base_model.temp_embed.abs().max() == 0
    assert model.new_fc.weight.std().item() == pytest.approx(0.001, rel=0.1)
    assert model.consensus.cls_token.abs().max() == 0
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "new_fc":
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.2), name
            assert module.bias is None or module.bias.abs().max() == 0, name


def test_the_scales_of_initial_values_are_keys():
    cfg = small_cfg("XViT", XVIT__POS_INIT_STD=0.7, XVIT__TEMP_INIT_STD=0.5, XVIT__FC_INIT_STD=0.3, XVIT__INIT_STD=0.1)
    model = build_model(cfg)
    encoder = model.base_model
    for tensor, std in (
        (encoder.pos_embed, 0.88 * 0.7),
        (encoder.temp_embed, 0.88 * 0.5),
        (model.new_fc.weight, 0.3),
        (encoder.blocks[0].mlp.fc1.weight, 0.1),
    ):
        assert tensor.std().item() == pytest.approx(std, rel=0.25)


def test_depth_of_parameters_for_layer_wise_learning_rates():
    model = make(depth=3)
    depths = {name: model.layer_of(name) for name, _ in model.named_parameters()}
    assert model.num_layers == 3
    embeddings = ("cls_token", "pos_embed", "temp_embed", "patch_embed.proj.weight", "patch_embed.proj.bias")
    assert {name for name, depth in depths.items() if depth == 0} == {f"base_model.{name}" for name in embeddings}
    for name, depth in depths.items():
        if name.startswith("base_model.blocks."):
            assert depth == int(name.split(".")[2]) + 1
        elif depth:
            assert depth == 4, name


def test_no_weight_decay_as_in_the_recipe(reference_dir):
    models = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["models"]
    (entry,) = [model for model in models if model["system"] == "XViT"]
    expected = {parameter["name"] for parameter in entry["parameters"] if parameter["weight_decay"] == 0}
    assert make(depth=2).no_weight_decay() == expected


def test_where_drop_out_acts():
    cfg = small_cfg(
        "XViT",
        MODEL__DROPOUT_RATE=0.1,
        XVIT__BACKBONE__DROP_ATTN_RATE=0.2,
        XVIT__BACKBONE__DROP_PATH_RATE=0.3,
        TEMPORAL_HEAD__HIDDEN_DROPOUT_PROB=0.4,
        TEMPORAL_HEAD__ATTENTION_PROBS_DROPOUT_PROB=0.5,
    )
    model = build_model(cfg)
    inside = ("attn.proj_drop", "mlp.hidden_drop", "mlp.drop")  # a block
    rates = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    assert rates == {
        **{f"base_model.blocks.{i}.{name}": 0.0 for i in (0, 1) for name in inside},
        "base_model.head": 0.1,
        **{f"consensus.temporal_encoder.0.{name}": 0.4 for name in inside},
        "consensus.mlp_head.3": 0.1,
    }
    blocks = [*model.base_model.blocks, *model.consensus.temporal_encoder]
    assert [block.attn.attention_dropout for block in blocks] == [0.2, 0.2, 0.5]
    assert [(block.drop_path.rate, block.drop_path.fold) for block in blocks] == [(0.0, 6), (0.3, 6), (0.0, 1)]


def test_frame_features_are_dropped_in_training(clip):
    """The published backbone has a drop-out in the place of its classifier, whatever the consensus."""
    encoder, frames = make(dropout=0.5).base_model, clip.transpose(1, 2).flatten(0, 1)
    kept, dropped = encoder(frames), encoder.train()(frames)
    assert 0.3 < (dropped == 0).float().mean() < 0.7
    torch.testing.assert_close(dropped[dropped != 0], 2 * kept[dropped != 0])


def test_other_keys_reach_the_model():
    cfg = small_cfg(
        "XViT",
        DATA__INPUT_CHANNEL_NUM=[4],
        XVIT__SHIFT_DIV=5,
        XVIT__LOCATIONS_LIST=[1],
        TEMPORAL_HEAD__NUM_HIDDEN_LAYERS=3,
    )
    model = build_model(cfg)
    assert model.base_model.patch_embed.proj.in_channels == 4
    assert [(m.num_segments, m.div) for m in model.modules() if isinstance(m, TimeShift)] == [(3, 5)]
    assert len(model.consensus.temporal_encoder) == 3
    assert model.consensus.mlp_head[1].out_features == 28
    assert model.consensus.temporal_encoder[0].attn.num_heads == 5


def test_details_of_the_temporal_head():
    """In the published network: no bias for queries, keys and values; eps 1e-5 here, 1e-6 in the backbone."""
    model = make()
    assert all(block.attn.qkv.bias is None for block in model.consensus.temporal_encoder)
    assert all(block.attn.qkv.bias is not None for block in model.base_model.blocks)
    eps = {name: module.eps for name, module in model.named_modules() if isinstance(module, nn.LayerNorm)}
    assert {value for name, value in eps.items() if name.startswith("consensus")} == {1e-5}
    assert {value for name, value in eps.items() if name.startswith("base_model")} == {1e-6}


def test_all_sizes_that_do_not_fit_are_told_at_once():
    cfg = small_cfg(
        "XViT",
        DATA__NUM_FRAMES=7,
        DATA__TRAIN_CROP_SIZE=225,
        DATA__TEST_CROP_SIZE=20,
        XVIT__NUM_HEADS=3,
        XVIT__PRETRAIN_IMAGE_SIZE=20,
        XVIT__SHIFT_DIV=1,
        TEMPORAL_HEAD__HIDDEN_DIM=768,
        TEMPORAL_HEAD__NUM_ATTENTION_HEADS=6,
    )
    with pytest.raises(ConfigError) as error:
        build_model(cfg)
    assert error.value.problems == [
        "DATA.TRAIN_CROP_SIZE 225 must be a multiple of XVIT.PATCH_SIZE 8.",
        "DATA.TEST_CROP_SIZE 20 must be a multiple of XVIT.PATCH_SIZE 8.",
        "TEMPORAL_HEAD.HIDDEN_DIM 768 must equal XVIT.EMBED_DIM 20: it takes the frame features as they are.",
        "XVIT.PATCH_SIZE 8 must be a divisor of XVIT.PRETRAIN_IMAGE_SIZE 20: 1, 2, 4, 5, 10, 20.",
        "XVIT.NUM_HEADS 3 must be a divisor of XVIT.EMBED_DIM 20: 1, 2, 4, 5, 10, 20.",
        "XVIT.NUM_TEMPORAL_EMBEDDINGS 2 must be a divisor of DATA.NUM_FRAMES 7: 1, 7.",
        "XVIT.NUM_SEGMENTS 3 must be a divisor of DATA.NUM_FRAMES 7: 1, 7.",
        "XVIT.SHIFT_DIV 1 must lie between 2 and XVIT.EMBED_DIM 20.",
        "TEMPORAL_HEAD.NUM_ATTENTION_HEADS 6 must be a divisor of XVIT.EMBED_DIM 20: 1, 2, 4, 5, 10, 20.",
    ]


def test_one_problem_of_the_crop_alone_is_told():
    with pytest.raises(ConfigError, match=r"DATA.TEST_CROP_SIZE 20"):
        build_model(small_cfg("XViT", DATA__TEST_CROP_SIZE=20))


def test_unknown_names_are_told():
    with pytest.raises(ConfigError, match=r"XVIT.CONSENSUS_TYPE 'max' is unknown; known: vit, avg"):
        make(consensus="max")
    with pytest.raises(ConfigError, match=r"'resnet50' names no size .* or set XVIT.DEPTH, XVIT.NUM_HEADS"):
        build_model(small_cfg("XViT", XVIT__DEPTH=0, XVIT__NUM_HEADS=0))


def test_a_clip_of_the_configured_size_runs():
    cfg = small_cfg("XViT", XVIT__CONSENSUS_TYPE="avg", TEMPORAL_HEAD__HIDDEN_DIM=768)
    assert build_model(cfg)(torch.randn(clip_for(cfg))).shape == (2, cfg.MODEL.NUM_CLASSES)
