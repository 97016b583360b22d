"""EVAVideo from EVA's image models and from video models of other clips and classes."""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from slowfast.models.eva_video import EVAVideo
from slowfast.utils.errors import UserError
from slowfast.weights import has_other_classes, load_pretrained
from slowfast.weights.load import NEW

SIZES = {"patch_size": 4, "embed_dim": 12, "depth": 2, "num_heads": 2, "mlp_dim": 20}


def make(num_classes=5, num_frames=4, crop_size=12, seed=0, **options):
    torch.manual_seed(seed)
    return EVAVideo(num_classes, num_frames, crop_size, **(SIZES | options))


def image_state(side=3, **more):
    """State dict of an image EVA: the video model's names, a two-dimensional kernel, its own last norm and head."""
    state = {name: torch.randn_like(value) for name, value in make(num_frames=1, crop_size=4).state_dict().items()}
    state = {name: value for name, value in state.items() if not name.startswith(("head.", "fc_norm."))}
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"][:, :, 0]
    state["pos_embed"] = torch.randn(1, 1 + side * side, 12)
    names = ("mask_token", "norm.weight", "norm.bias", "lm_head.weight", "lm_head.bias")
    return state | {name: torch.randn(12) for name in names} | more


@pytest.mark.parametrize("tubelet", [1, 2])
def test_an_image_model_as_a_still_video(tubelet):
    """A clip of equal frames gives at each time step the patch tokens of the image."""
    state = image_state()
    model = make(tubelet_size=tubelet)
    report = load_pretrained(model, state)
    assert report.key_map == "image EVA" and report.backbone_fraction == 1.0
    assert report.missing == ["fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"] and not report.unexpected
    assert {name for name, _, shape in report.dropped if shape is None} == state.keys() - model.state_dict().keys()
    assert {name for name, *_ in report.resized} == {"pos_embed", "patch_embed.proj.weight"}
    image = torch.randn(1, 3, 12, 12)
    patches = F.conv2d(image, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=4)
    expected = patches.flatten(2).transpose(1, 2) + state["pos_embed"][:, 1:]
    tokens = model.embed(image[:, :, None].expand(-1, -1, 4, -1, -1))
    torch.testing.assert_close(tokens[:, :1], state["cls_token"] + state["pos_embed"][:, :1])
    for step in tokens[:, 1:].split(9, dim=1):
        torch.testing.assert_close(step, expected, rtol=1e-4, atol=1e-5)


def test_an_image_model_of_another_size():
    """Four time steps and 16 image cells could as well be 4 x 2 x 2 positions of a video: the kernel tells."""
    state = image_state(side=4)
    model = make(crop_size=8)
    load_pretrained(model, state)
    cells = state["pos_embed"][0, 1:].T.reshape(1, 12, 4, 4)
    expected = F.interpolate(cells, size=(2, 2), mode="bilinear", align_corners=False).flatten(2)[0].T
    torch.testing.assert_close(model.pos_embed[0, 1:], expected.repeat(4, 1), rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match=r"4 time steps of 4 x 4 patches, .* 4 time steps of 2 x 2 .*INTERPOLATE"):
        load_pretrained(make(crop_size=8, interpolate=False), state)
    with pytest.raises(UserError, match="10 positions, which are no square"):
        load_pretrained(model, image_state() | {"pos_embed": torch.randn(1, 11, 12)})


def test_joint_biases_of_image_models():
    state = image_state()
    for number in (0, 1):
        q, v = (state.pop(f"blocks.{number}.attn.{part}_bias") for part in "qv")
        state[f"blocks.{number}.attn.qkv.bias"] = torch.cat([q, torch.randn(12), v])
    model = make()
    report = load_pretrained(model, state)
    assert report.key_map == "image ViT" and report.backbone_fraction == 1.0
    torch.testing.assert_close(model.blocks[1].attn.v_bias.data, v)


@pytest.mark.parametrize("frames, crop, stored", [(8, 12, None), (4, 20, None), (8, 20, (4, 3, 3)), (6, 4, (4, 3, 3))])
def test_a_video_model_of_other_clips(frames, crop, stored):
    source = make(seed=1)
    model = make(num_frames=frames, crop_size=crop, stored_grid=stored)
    report = load_pretrained(model, source.state_dict())
    assert [name for name, *_ in report.resized] == ["pos_embed"] and not report.unfilled
    cube = source.pos_embed[0, 1:].T.unflatten(1, (4, 3, 3))[None]
    expected = F.interpolate(cube, size=model.grid, mode="trilinear", align_corners=False)[0].flatten(1).T
    torch.testing.assert_close(model.pos_embed[0, 1:], expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(model.pos_embed[:, :1], source.pos_embed[:, :1])
    with pytest.raises(UserError, match=r"EVA_VIDEO.INTERPOLATE is False: set it True"):
        load_pretrained(
            make(num_frames=frames, crop_size=crop, stored_grid=stored, interpolate=False), source.state_dict()
        )


def test_a_models_own_checkpoint_needs_no_interpolation():
    for stored in (None, (2, 3, 3)):
        model = make(seed=1, stored_grid=stored, interpolate=False)
        assert load_pretrained(make(stored_grid=stored, interpolate=False), model.state_dict()).complete


def test_equal_numbers_of_other_grids_follow_the_configuration():
    """4 x 2 x 2 and 1 x 4 x 4 have as many positions: only the keys can tell that these are not the model's."""
    source = make(num_frames=1, crop_size=16, seed=1)
    model = make(num_frames=4, crop_size=8, stored_grid=(1, 4, 4))
    load_pretrained(model, source.state_dict())
    steps = model.pos_embed[0, 1:].unflatten(0, (4, 4))
    assert torch.equal(steps[0], steps[3])


def test_positions_that_nothing_explains():
    model = make(num_frames=8, crop_size=20)
    with pytest.raises(UserError, match=r"36 positions, .*not in the file: set EVA_VIDEO.PRETRAIN_NUM_FRAMES"):
        load_pretrained(model, make().state_dict())
    with pytest.raises(
        UserError, match=r"36 positions, but .* say 18, 2 time steps of 3 x 3 patches, and the model 200"
    ):
        load_pretrained(make(num_frames=8, crop_size=20, stored_grid=(2, 3, 3)), make().state_dict())


def test_rows_of_the_classifier():
    source, model = make(num_classes=6, seed=1), make(num_classes=3)
    own = model.head.weight.detach().clone()
    assert has_other_classes(model, source.state_dict()) and not has_other_classes(model, model.state_dict())
    report = load_pretrained(model, source.state_dict(), [4, NEW, 0])
    assert torch.equal(model.head.weight[[0, 2]], source.head.weight[[4, 0]])
    assert torch.equal(model.head.weight[1], own[1])
    assert {name for name, *_ in report.resized} == {"head.weight", "head.bias"} and not report.unfilled
    with pytest.raises(UserError, match=r"class number 6 .* its head.weight has 6 classes, 0 to 5"):
        load_pretrained(model, source.state_dict(), [4, 6, 0])
    with pytest.raises(UserError, match="holds no classifier"):
        load_pretrained(model, image_state(), [4, 5, 0])


def test_published_index_lists_select_rows(reference_dir):
    maps = json.loads((reference_dir / "parity/checkpoint_key_maps.json").read_text())["eva_video_k722_to_other"]
    state = {"head.weight": torch.randn(722, 12), "head.bias": torch.arange(722.0)}
    for name, rows in maps["class_index_lists"].items():
        model = make(num_classes=int(name.removeprefix("kinetics722_to_kinetics")))
        load_pretrained(model, state, rows)
        assert model.head.bias.tolist() == rows


def test_the_published_map_of_image_names(reference_dir):
    entry = json.loads((reference_dir / "parity/checkpoint_key_maps.json").read_text())["eva_psz14_to_eva_video"]
    names = {name for name in entry["video_state_dict_keys"] if name.startswith(("blocks.0.", "blocks.1."))}
    names |= {name for name in entry["video_state_dict_keys"] if not name.startswith("blocks.")}
    assert names == make().state_dict().keys()
    assert load_pretrained(make(), image_state()).missing == entry["not_provided"]


def test_reference_conversion_to_the_bit(reference_dir):
    """The released conversion of an image checkpoint is copying and repeating; so is this one."""
    tensors = load_file(reference_dir / "parity/eva_checkpoint_a.safetensors")
    hyper = json.loads((reference_dir / "parity/eva_checkpoint_a.json").read_text())["hyper_parameters"]
    model = make(num_frames=hyper["video_frames"], crop_size=42, patch_size=14, embed_dim=hyper["embed_dim"], mlp_dim=8)
    state = {name.partition("/")[2]: value for name, value in tensors.items() if name.startswith("image_checkpoint/")}
    load_pretrained(model, state)
    for name in ("pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"):
        assert torch.equal(model.state_dict()[name], tensors[f"inflated/{name}"]), name
