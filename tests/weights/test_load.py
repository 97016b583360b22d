"""Loading a state dict: what fits is copied, and every other entry is told."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from slowfast.models import MODEL_REGISTRY
from slowfast.utils.errors import UserError
from slowfast.weights import load_pretrained, load_weights


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def filled(model, value=0.5):
    return {name: torch.full_like(tensor, value) for name, tensor in model.state_dict().items()}


def test_all_entries_fit(model):
    report = load_weights(model, filled(model, 2))
    assert report.complete
    assert report.matched == list(model.state_dict())
    assert all((tensor == 2).all() for tensor in model.state_dict().values())
    assert str(report) == "9 of 9 entries loaded (43 of 43 values); nothing dropped, missing or unexpected"


def test_what_does_not_fit_is_told_and_left_alone(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = filled(model, 2)
    state["2.weight"] = torch.zeros(5, 4)
    del state["0.bias"]
    state["head.weight"] = torch.zeros(1)
    report = load_weights(model, state)
    assert not report.complete
    assert report.dropped == [("2.weight", (5, 4), (2, 4))]
    assert report.missing == ["0.bias"]
    assert report.unexpected == ["head.weight"]
    assert len(report.matched) == 7
    assert (report.num_values, report.num_values_in_model) == (43 - 8 - 4, 43)
    after = model.state_dict()
    for name in ("2.weight", "0.bias"):
        assert torch.equal(after[name], before[name])
    assert (after["0.weight"] == 2).all()
    assert str(report) == (
        "7 of 9 entries loaded (31 of 43 values); 1 dropped for their shape: 2.weight (file 5x4, model 2x4); "
        "1 missing in the file: 0.bias; 1 unexpected in the file: head.weight"
    )


def test_a_missing_dimension_is_a_different_shape(model):
    report = load_weights(model, filled(model) | {"2.bias": torch.zeros(2, 1)})
    assert [name for name, *_ in report.dropped] == ["2.bias"]


def test_values_are_cast_to_the_models_type(model):
    assert load_weights(model, {name: tensor.half() for name, tensor in filled(model).items()}).complete
    assert model[0].weight.dtype == torch.float32
    assert (model[0].weight == 0.5).all()


def test_long_lists_are_counted():
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    assert str(load_weights(model, {})).endswith("20 missing in the file: " + NAMES + " and 14 more")


NAMES = "0.weight, 0.bias, 1.weight, 1.bias, 2.weight, 2.bias"


# ---- through the models' rules

SIZES = {"num_classes": 5, "embed_dim": 16, "depth": 2, "num_heads": 2, "patch_size": 8}
XVIT = SIZES | {"num_frames": 8, "pretrain_image_size": 32, "head_heads": 2, "head_mlp_dim": 16, "shift_div": 4}


def build(name, **sizes):
    torch.manual_seed(1)
    return MODEL_REGISTRY.get(name)(**sizes)


def xvit(**changes):
    return build("XViT", **XVIT | changes)


def video_vit(**changes):
    return build("VideoViT", **SIZES | {"num_frames": 4, "crop_size": 32} | changes)


def random_state(shapes):
    torch.manual_seed(0)
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def image_vit(width=16, depth=2, classes=21, cells=16, channels=3, patch=8, **more):
    """State dict of a timm vision transformer."""
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + cells, width),
        "patch_embed.proj.weight": (width, channels, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "pre_logits.fc.weight": (width, width),
        "head.weight": (classes, width),
        "head.bias": (classes,),
    }
    for i in range(depth):
        for layer, (rows, columns) in {
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }.items():
            shapes |= {f"blocks.{i}.{layer}.weight": (rows, columns), f"blocks.{i}.{layer}.bias": (rows,)}
        for layer in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{layer}.weight": (width,), f"blocks.{i}.{layer}.bias": (width,)}
    return random_state(shapes | more)


def test_xvit_from_an_image_model():
    model, state = xvit(), image_vit()
    temporal = model.base_model.temp_embed.detach().clone()
    report = load_pretrained(model, state)
    assert report.key_map == "image ViT"
    assert report.dropped == [
        ("pre_logits.fc.weight", (16, 16), None),
        ("head.weight", (21, 16), None),
        ("head.bias", (21,), None),
    ]
    own = model.state_dict()
    for name in set(state) - {"pre_logits.fc.weight", "head.weight", "head.bias"}:
        assert torch.equal(own[f"base_model.{name}"], state[name])
    assert not (report.resized or report.unexpected)
    assert {name for name in own if name not in report.matched} == set(report.missing) == set(report.unfilled)
    assert all(name.startswith(("base_model.temp_embed", "new_fc.", "consensus.")) for name in report.missing)
    assert torch.equal(own["base_model.temp_embed"], temporal)
    assert 0.95 < report.backbone_fraction < 1
    report.require(0.95, "in21k.pth")


def test_xvit_from_an_image_model_of_another_grid_and_age():
    """Old files keep the patch kernel as a matrix; another image size has other positions."""
    model, state = xvit(), image_vit(cells=36)
    kernel = state["patch_embed.proj.weight"]
    state["patch_embed.proj.weight"] = kernel.flatten(1)
    report = load_pretrained(model, state)
    assert report.resized == [
        ("base_model.pos_embed", (1, 37, 16), (1, 17, 16)),
        ("base_model.patch_embed.proj.weight", (16, 192), (16, 3, 8, 8)),
    ]
    own = model.base_model.state_dict()
    assert torch.equal(own["patch_embed.proj.weight"], kernel)
    image = state["pos_embed"][:, 1:].transpose(1, 2).reshape(1, 16, 6, 6)
    expected = F.interpolate(image, size=(4, 4), mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
    torch.testing.assert_close(own["pos_embed"][:, 1:], expected)
    assert torch.equal(own["pos_embed"][:, :1], state["pos_embed"][:, :1])


def test_more_temporal_embeddings_change_nothing_at_first():
    """The released 8, repeated: a model with one for each of 16 frames starts from the same function."""
    released = xvit(num_frames=16, num_segments=8).eval()
    torch.nn.init.normal_(released.base_model.temp_embed)
    mended = xvit(num_frames=16, num_segments=8, num_temporal_embeddings=16).eval()
    report = load_pretrained(mended, released.state_dict())
    assert report.resized == [("base_model.temp_embed", (1, 8, 1, 16), (1, 16, 1, 16))]
    assert not report.unfilled
    clip = torch.randn(2, 3, 16, 32, 32)
    assert torch.equal(mended(clip), released(clip))


def test_another_number_of_classes_is_a_new_head_and_said():
    report = load_pretrained(xvit(), xvit(num_classes=7).state_dict())
    assert report.key_map == ""
    assert [name for name, *_ in report.dropped] == report.unfilled
    assert report.unfilled == [f"{layer}.{kind}" for layer in ("new_fc", "consensus.mlp_head.4") for kind in WB]
    assert report.backbone_fraction == 1
    assert "consensus.mlp_head.4.weight (file 7x16, model 5x16)" in report.table()


WB = ("weight", "bias")


@pytest.mark.parametrize("positions, class_token", [("sincos", False), ("learnt", True)])
def test_video_vit_from_an_image_model(positions, class_token):
    model, state = video_vit(positions=positions, class_token=class_token), image_vit()
    report = load_pretrained(model, state)
    own = model.state_dict()
    assert report.key_map == "image ViT"
    query, _, value = state["blocks.1.attn.qkv.bias"].chunk(3)
    assert torch.equal(own["blocks.1.attn.q_bias"], query)
    assert torch.equal(own["blocks.1.attn.v_bias"], value)
    for step in range(2):
        assert torch.equal(own["patch_embed.proj.weight"][:, :, step], state["patch_embed.proj.weight"] / 2)
    assert ("cls_token" in report.matched) == class_token
    if positions == "learnt":  # the image's, for each time step
        assert ("pos_embed", (1, 17, 16), (1, 33, 16)) in report.resized
        assert torch.equal(own["pos_embed"], torch.cat([state["pos_embed"], state["pos_embed"][:, 1:]], dim=1))
    assert report.unfilled == NEW_VIDEO_HEAD
    assert not report.unexpected


NEW_VIDEO_HEAD = [f"{layer}.{kind}" for layer in ("fc_norm", "head") for kind in WB]


def test_a_key_bias_does_not_matter():
    """Why the image model's may be dropped."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 1, 2, 5, 4)
    torch.testing.assert_close(
        F.scaled_dot_product_attention(q, k + torch.randn(2, 1, 4), v), F.scaled_dot_product_attention(q, k, v)
    )


def test_video_vit_from_videomaes_pretraining(reference_dir):
    """The golden pre-training case; by the published notes all of the encoder but its norm goes to the classifier."""
    tensors = load_file(reference_dir / "parity" / "videomae_pretrain_a.safetensors")
    state = {name[7:]: tensor for name, tensor in tensors.items() if name.startswith("weight/")}
    model = video_vit(num_frames=16, crop_size=24, embed_dim=48, num_heads=4)
    report = load_pretrained(model, state)
    assert report.key_map == "VideoMAE pre-training"
    encoder = {name[8:] for name in state if name.startswith("encoder.") and not name.startswith("encoder.norm")}
    assert set(report.matched) == encoder
    assert all(torch.equal(model.state_dict()[name], state[f"encoder.{name}"]) for name in encoder)
    assert {name for name, _, _ in report.dropped} == {
        name for name in state if not name.startswith("encoder.") or name.startswith("encoder.norm")
    }
    assert (report.resized, report.unexpected, report.missing) == ([], [], NEW_VIDEO_HEAD)
    assert report.backbone_fraction == 1


def test_video_vit_with_learnt_positions_at_another_size():
    state = video_vit(positions="learnt").state_dict()
    report = load_pretrained(video_vit(positions="learnt", crop_size=48), state)
    assert report.resized == [("pos_embed", (1, 32, 16), (1, 72, 16))]
    assert report.matched == [name for name in state if name != "pos_embed"]


@pytest.mark.parametrize("changes", [{"embed_dim": 24}, {"depth": 6}])
def test_another_architecture_is_refused(changes):
    report = load_pretrained(xvit(**changes), xvit().state_dict())
    with pytest.raises(UserError, match=r"checkpoint a.pyth does not fit the model: .* % of the backbone's") as error:
        report.require(0.9, "a.pyth")
    assert "less than WEIGHTS.MIN_MATCHED 0.9" in str(error.value)
    assert "\n" not in str(error.value)
    report.require(0.0, "a.pyth")


def test_a_foreign_checkpoint_matches_nothing():
    report = load_pretrained(xvit(), {"s1.conv.weight": torch.zeros(3)})
    assert (report.backbone_fraction, report.key_map, report.unexpected) == (0, "", ["s1.conv.weight"])


def test_the_table():
    assert load_pretrained(xvit(), image_vit(cells=36, extra=(2,))).table().splitlines() == [
        "names read as: image ViT",
        "matched       29",
        "resized        1  base_model.pos_embed (file 1x37x16, model 1x17x16)",
        "dropped        3  pre_logits.fc.weight",
        "                  head.{weight,bias}  x 2",
        "missing       21  base_model.temp_embed",
        "                  new_fc.{weight,bias}  x 2",
        "                  consensus.cls_token",
        "                  consensus.temporal_encoder.0.norm1.{weight,bias}  x 2",
        "                  consensus.temporal_encoder.0.attn.qkv.weight",
        "                  consensus.temporal_encoder.0.attn.proj.{weight,bias}  x 2",
        "                  consensus.temporal_encoder.0.norm2.{weight,bias}  x 2",
        "                  consensus.temporal_encoder.0.mlp.fc1.{weight,bias}  x 2",
        "                  consensus.temporal_encoder.0.mlp.fc2.{weight,bias}  x 2",
        "                  consensus.mlp_head.*.{weight,bias}  x 6",
        "unexpected     1  extra",
        "values     9,968 of 13,818 in the model; 98.7 % of the backbone's 10,096 parameters",
    ]


def test_long_tables_are_cut():
    report = load_weights(nn.Sequential(nn.Linear(1, 1)), {f"odd{'x' * n}": torch.zeros(1) for n in range(15)})
    lines = report.table().splitlines()
    assert lines[-2].split() == ["...", "15", "kinds", "of", "names", "in", "all"]
    assert lines[-3].endswith("oddxxxxxxxxxxx")
