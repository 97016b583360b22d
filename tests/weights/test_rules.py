"""Key maps: every name of the published checkpoints goes where the published lists say."""

import json

import pytest
import torch

from slowfast.models import MODEL_REGISTRY
from slowfast.weights.rules import WeightRules, rename, rules_of

XVIT = {"num_classes": 5, "num_frames": 4, "embed_dim": 12, "depth": 12, "num_heads": 2, "head_heads": 2}
XVIT |= {"patch_size": 8, "pretrain_image_size": 16, "num_temporal_embeddings": 4, "num_segments": 4, "shift_div": 4}
VIDEO_VIT = {"num_classes": 5, "num_frames": 4, "crop_size": 16, "embed_dim": 12, "depth": 12, "num_heads": 2}


@pytest.fixture(scope="module")
def published(reference_dir):
    return json.loads((reference_dir / "parity" / "checkpoint_key_maps.json").read_text())


def build(name, **sizes):
    with torch.device("meta"):
        return MODEL_REGISTRY.get(name)(**sizes)


def goes_to(names, key_map):
    """What a map makes of each name alone: its new name, or None."""
    return {name: next(iter(rename({name: torch.zeros(3)}, key_map)[0]), None) for name in names}


@pytest.mark.parametrize(
    "entry, model, map_name",
    [
        ("timm_vit_b16_in21k_to_xvit", ("XViT", XVIT), "image ViT"),
        ("videomae_pretrain_to_finetune", ("VideoViT", VIDEO_VIT), "VideoMAE pre-training"),
    ],
)
def test_published_lists(published, entry, model, map_name):
    expected = published[entry]["explicit_12_blocks"]
    model = build(model[0], **model[1])
    assert goes_to(expected, rules_of(model).key_maps[map_name]) == expected
    assert {name for name in expected.values() if name} <= set(model.state_dict())


def test_patterns_with_alternatives_and_numbers(published):
    """The published patterns themselves are a key map; CLIP's list has every wildcard but *."""
    clip = published["clip_vit_to_cast"]
    assert goes_to(clip["explicit_12_blocks"], clip["patterns"]) == clip["explicit_12_blocks"]


def test_a_backbone_prefix_is_like_an_encoders(published):
    names = published["videomae_pretrain_to_finetune"]["explicit_12_blocks"]
    expected = {f"backbone.{name[8:]}": to for name, to in names.items() if name.startswith("encoder.")}
    key_map = rules_of(build("VideoViT", **VIDEO_VIT)).key_maps["VideoMAE pre-training"]
    assert goes_to(expected, key_map) == expected


@pytest.mark.parametrize(
    "sizes, kept",
    [
        ({}, set()),
        ({"pooling": "token"}, {"norm.weight"}),
        ({"class_token": True, "positions": "learnt"}, {"cls_token", "pos_embed"}),
    ],
)
def test_the_encoders_extras_go_to_models_with_a_place_for_them(sizes, kept):
    rules = rules_of(build("VideoViT", **VIDEO_VIT, **sizes))
    for prefix, map_name in (("encoder.", "VideoMAE pre-training"), ("", "image ViT")):
        found = goes_to(
            [f"{prefix}{name}" for name in ("norm.weight", "cls_token", "pos_embed")], rules.key_maps[map_name]
        )
        assert {target for target in found.values() if target} == kept


def test_an_image_models_packed_bias_is_cut():
    key_map = rules_of(build("VideoViT", **VIDEO_VIT)).key_maps["image ViT"]
    renamed, dropped, origins = rename({"blocks.3.attn.qkv.bias": torch.arange(6.0)}, key_map)
    assert {name: tensor.tolist() for name, tensor in renamed.items()} == {
        "blocks.3.attn.q_bias": [0, 1],
        "blocks.3.attn.v_bias": [4, 5],
    }
    assert dropped == [("blocks.3.attn.qkv.bias", (2,))]
    assert set(origins.values()) == {"blocks.3.attn.qkv.bias"}


def test_a_tensor_that_cannot_be_cut_keeps_its_name():
    assert list(rename({"a": torch.zeros(4), "b": torch.tensor(1)}, {"*": ("x", "y", "z")})[0]) == ["a", "b"]


def test_the_first_rule_and_the_first_entry_count():
    state = {"a.w": torch.zeros(1), "b.w": torch.ones(1), "c": torch.zeros(2)}
    renamed, dropped, origins = rename(state, {"c": None, "a.w": "w", "b.w": "w", "*": "never"})
    assert dropped == [("c", (2,))]
    assert renamed.keys() == {"w", "b.w"}
    assert renamed["w"] == 0
    assert origins == {"w": "a.w", "b.w": "b.w"}


def test_dots_and_brackets_mean_themselves():
    assert list(rename({"axb": torch.zeros(1)}, {"a.b": "c"})[0]) == ["axb"]


def test_models_without_rules():
    assert rules_of(torch.nn.Linear(1, 1)) == WeightRules()


def test_rules_go_to_subclasses():
    class Derived(MODEL_REGISTRY.get("XViT")):
        pass

    with torch.device("meta"):
        assert rules_of(Derived(**XVIT)).key_maps
