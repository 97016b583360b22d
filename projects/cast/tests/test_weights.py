"""CAST's weights: both experts from their files, released layouts, other sizes, and what is refused."""

import gzip
import json

import pytest
import torch

from projects.cast.model import CAST
from projects.cast.spatial_expert import ClipViT
from projects.cast.tests.sizes import CROP, FRAMES, SIZES, clip, small_cast
from projects.cast.weights import CLIP, VIDEOMAE, is_of_clip, load_expert, start_from_experts
from slowfast.config import load_cfg
from slowfast.models.video_vit import VideoViT
from slowfast.parity import check_case, read_case
from slowfast.utils.errors import UserError
from slowfast.weights import load_pretrained
from slowfast.weights.rules import rename

SPATIAL = {name: SIZES[name] for name in ("patch_size", "embed_dim", "depth", "num_heads")}


@pytest.fixture
def experts(tmp_path):
    """Files of both experts, trained or not: their states and paths."""
    torch.manual_seed(5)
    clip_vit = ClipViT(7, CROP, **SPATIAL)
    video_vit = VideoViT(7, FRAMES, CROP, **SPATIAL, mlp_ratio=SIZES["mlp_ratio"])
    states = {"clip": clip_vit.state_dict(), "videomae": video_vit.state_dict()}
    for name, state in states.items():
        torch.save({"model": state}, tmp_path / f"{name}.pth")
    return states, {name: str(tmp_path / f"{name}.pth") for name in states}


@pytest.fixture
def cfg():
    """cfg(KEY, value, ...) of a small CAST."""

    def load(*words):
        sizes = [word for name, value in SIZES.items() for word in (f"CAST.{name.upper()}", value)]
        return load_cfg(None, ["PROJECTS", ["projects.cast"], *sizes, *words])

    return load


def test_golden_cases(reference_dir):
    for kind in ("expert_load", "epic_merge"):
        for path in (reference_dir / "parity").glob(f"cast_{kind}_*.json"):
            result = check_case(read_case(path))
            assert result.passed, f"{path.stem}: {result}"


def test_key_maps_are_the_published_ones(reference_dir):
    maps = json.loads((reference_dir / "parity" / "checkpoint_key_maps.json").read_text())
    for name, ours in (("clip_vit_to_cast", CLIP), ("videomae_pretrain_to_cast", VIDEOMAE)):
        told = maps[name]["explicit_12_blocks"]
        renamed, dropped, origins = rename({key: torch.zeros(1) for key in told}, ours)
        assert {origin: target for target, origin in origins.items()} | {key: None for key, _ in dropped} == told
        assert set(renamed) == {target for target in told.values() if target}


def test_experts_fill_exactly_their_parts(experts, cfg):
    states, paths = experts
    model = small_cast(random=False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    texts = start_from_experts(model, cfg("CAST.CLIP_PATH", paths["clip"], "CAST.VIDEOMAE_PATH", paths["videomae"]))
    assert [text.split()[0] for text in texts] == ["CLIP", "VideoMAE"]
    assert torch.equal(model.clip_conv1.weight, states["clip"]["conv1.weight"])
    assert torch.equal(model.clip_ln_post.weight, states["clip"]["ln_post.weight"])
    block = model.blocks[2]
    stem = "transformer.resblocks.2."
    assert torch.equal(block.clip_attn.in_proj_weight, states["clip"][stem + "attn.in_proj_weight"])
    assert torch.equal(block.attn.qkv.weight, states["videomae"]["blocks.2.attn.qkv.weight"])
    for name in ("head_verb.weight", "blocks.0.t2s_cross.t2s_q.weight", "blocks.1.S_Adapter.D_fc1.weight"):
        assert torch.equal(model.state_dict()[name], before[name])


def test_the_experts_of_a_new_cast_see_what_they_saw_alone(experts):
    states, _ = experts
    model = small_cast(random=False).eval()
    for name, state in states.items():
        load_expert(model, state, name)
    alone = ClipViT(7, CROP, **SPATIAL).eval()
    alone.load_state_dict(states["clip"])
    alone.head = torch.nn.Identity()
    alone.ln_post = torch.nn.Identity()
    torch.testing.assert_close(model.features(clip())[0], model.clip_ln_post(alone(clip())))


@pytest.mark.parametrize("layout", ["visual", "half", "encoder", "backbone"])
def test_layouts(experts, layout):
    states, _ = experts
    if layout in ("visual", "half"):
        state, name = {f"visual.{key}": tensor.half() for key, tensor in states["clip"].items()}, "clip"
        state |= {"visual.proj": torch.zeros(24, 9), "logit_scale": torch.zeros(())}
        state |= {f"transformer.resblocks.{i}.attn.in_proj_weight": torch.zeros(9, 3) for i in range(3)}  # of text
        state |= {"positional_embedding": torch.zeros(77, 9)}
        if layout == "half":
            state = {key.removeprefix("visual."): tensor for key, tensor in state.items() if key.startswith("visual.")}
    else:
        state, name = {f"{layout}.{key}": tensor for key, tensor in states["videomae"].items()}, "videomae"
        state |= {"decoder.norm.weight": torch.zeros(3), "mask_token": torch.zeros(1, 1, 3)}
    model = small_cast(random=False)
    load_expert(model, state, name)
    wanted = {key: tensor for key, tensor in model.state_dict().items() if is_of_clip(key) == (name == "clip")}
    reference = small_cast(random=False)
    load_expert(reference, states[name], name)
    for key in wanted:
        torch.testing.assert_close(wanted[key], reference.state_dict()[key], rtol=1e-3, atol=1e-4, msg=key)


def test_what_is_missing_or_of_another_size(experts, cfg, tmp_path):
    states, paths = experts
    model = small_cast(random=False)
    with pytest.raises(UserError, match=r"CAST\.CLIP_PATH is empty: .*openai/CLIP.*; CAST\.VIDEOMAE_PATH is empty"):
        start_from_experts(model, cfg())
    with pytest.raises(UserError, match=r"CAST\.VIDEOMAE_PATH: checkpoint .*gone\.pth does not exist.*MODEL_ZOO\.md"):
        start_from_experts(
            model, cfg("CAST.CLIP_PATH", paths["clip"], "CAST.VIDEOMAE_PATH", str(tmp_path / "gone.pth"))
        )
    with pytest.raises(UserError, match=r"no VideoMAE checkpoint for this model: .* entries are not in it"):
        load_expert(model, states["clip"], "videomae")
    wide = VideoViT(7, FRAMES, CROP, **{**SPATIAL, "embed_dim": 36}).state_dict()
    with pytest.raises(UserError, match=r"VideoMAE of other sizes: .*36.*CAST\.EMBED_DIM"):
        load_expert(model, wide, "videomae")
    long = VideoViT(7, FRAMES, CROP, **SPATIAL, mlp_ratio=SIZES["mlp_ratio"], tubelet_size=4).state_dict()
    with pytest.raises(UserError, match=r"patch_embed\.proj\.weight \(24, 3, 4, 8, 8\) in the file.*tubelet"):
        load_expert(model, long, "videomae")
    assert "random weights" in start_from_experts(model, cfg("CAST.TRAIN_EXPERTS", True))[0]


def test_a_released_checkpoint_loads_completely(reference_dir):
    """Names and shapes of the released model, in the layout of its training scripts."""
    with gzip.open(reference_dir / "parity/full_size_state_dicts.json.gz") as file:
        shapes = json.load(file)["cast_b16_epic_97v_300n"]
    with torch.device("meta"):
        model = CAST((97, 300), 16, 224)
        state = {name: torch.zeros(shape) for name, shape in dict(shapes).items()}
    assert load_pretrained(model, state).complete


def test_other_crops_and_lengths_are_resized():
    small, large = small_cast(), CAST((5, 7), 12, 32, **SIZES)
    report = load_pretrained(large, small.state_dict())
    kinds = {name.split(".")[-1] for name, *_ in report.resized}
    assert kinds == {"clip_positional_embedding", "clip_time_pos", "vmae_time_pos", "clip_space_pos", "vmae_space_pos"}
    assert not report.unfilled
    grid = large.grid
    asking, asked = torch.randn(2, *grid[:1], grid[1] * grid[2], 12), torch.randn(2, *grid[:1], grid[1] * grid[2], 12)
    for ours, theirs in zip(small.blocks, large.blocks):  # the same as resizing on the fly
        for name in ("t2s_cross", "s2t_cross"):
            outputs = [getattr(block, name)(asking, asked, grid) for block in (ours, theirs)]
            torch.testing.assert_close(*outputs)
