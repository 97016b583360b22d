"""The JAX vision transformer: its arrays under PyTorch's names compute what its formulas say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slowfast.utils.errors import UserError
from slowfast.weights import read_state_dict

WIDTH, HEADS, HEAD_WIDTH, HIDDEN, PATCH, CHANNELS, CLASSES = 12, 3, 4, 20, 2, 5, 7


def arrays(rng, prefix=""):
    """What the JAX code base saves for one block, with every axis of another length."""
    attention = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1"
    shapes = {
        "cls": (1, 1, WIDTH),
        "embedding/kernel": (PATCH, PATCH + 1, CHANNELS, WIDTH),
        "embedding/bias": (WIDTH,),
        "Transformer/posembed_input/pos_embedding": (1, 10, WIDTH),
        **{f"{attention}/{part}/kernel": (WIDTH, HEADS, HEAD_WIDTH) for part in ("query", "key", "value")},
        **{f"{attention}/{part}/bias": (HEADS, HEAD_WIDTH) for part in ("query", "key", "value")},
        f"{attention}/out/kernel": (HEADS, HEAD_WIDTH, WIDTH),
        f"{attention}/out/bias": (WIDTH,),
        **{f"Transformer/encoderblock_0/LayerNorm_{i}/{kind}": (WIDTH,) for i in (0, 2) for kind in ("scale", "bias")},
        "Transformer/encoderblock_0/MlpBlock_3/Dense_0/kernel": (WIDTH, HIDDEN),
        "Transformer/encoderblock_0/MlpBlock_3/Dense_0/bias": (HIDDEN,),
        "Transformer/encoderblock_0/MlpBlock_3/Dense_1/kernel": (HIDDEN, WIDTH),
        "Transformer/encoderblock_0/MlpBlock_3/Dense_1/bias": (WIDTH,),
        "Transformer/encoder_norm/scale": (WIDTH,),
        "Transformer/encoder_norm/bias": (WIDTH,),
        "pre_logits/kernel": (WIDTH, 6),
        "pre_logits/bias": (6,),
        "head/kernel": (6, CLASSES),
        "head/bias": (CLASSES,),
    }
    return {prefix + name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(params=["", "opt/target/", "params/"])
def loaded(request, tmp_path):
    """(arrays without prefix, state dict read from the file that holds them)."""
    saved = arrays(np.random.default_rng(0), request.param)
    np.savez(tmp_path / "vit.npz", **saved)
    return {name[len(request.param) :]: value for name, value in saved.items()}, read_state_dict(tmp_path / "vit.npz")


def test_names_are_timms(loaded):
    _, state = loaded
    block = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    layers = ("patch_embed.proj", *(f"blocks.0.{layer}" for layer in block), "norm", "pre_logits.fc", "head")
    expected = {"cls_token", "pos_embed", *(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))}
    assert set(state) == expected
    assert all(tensor.is_contiguous() for tensor in state.values())


def close(actual, expected):
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_attention_is_the_same(loaded):
    """Expected: flax's formula, einsum over heads kept apart."""
    saved, state = loaded
    x = np.random.default_rng(1).normal(size=(2, 5, WIDTH)).astype(np.float32)
    part = {
        name: np.einsum("bnd,dhe->bhne", x, saved[f"{prefix}/kernel"]) + saved[f"{prefix}/bias"][None, :, None]
        for name in ("query", "key", "value")
        for prefix in [f"Transformer/encoderblock_0/MultiHeadDotProductAttention_1/{name}"]
    }
    logits = np.einsum("bhne,bhme->bhnm", part["query"], part["key"]) / HEAD_WIDTH**0.5
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    mixed = np.einsum("bhnm,bhme->bnhe", weights, part["value"])
    out = "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/out"
    expected = np.einsum("bnhe,hed->bnd", mixed, saved[f"{out}/kernel"]) + saved[f"{out}/bias"]

    packed = F.linear(torch.from_numpy(x), state["blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.bias"])
    q, k, v = packed.unflatten(2, (3, HEADS, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    close(F.linear(y, state["blocks.0.attn.proj.weight"], state["blocks.0.attn.proj.bias"]), expected)


def test_patches_and_dense_layers_are_the_same(loaded):
    saved, state = loaded
    rng = np.random.default_rng(2)
    patch = rng.normal(size=(1, CHANNELS, PATCH, PATCH + 1)).astype(np.float32)
    expected = np.einsum("bcij,ijcd->bd", patch, saved["embedding/kernel"]) + saved["embedding/bias"]
    actual = F.conv2d(torch.from_numpy(patch), state["patch_embed.proj.weight"], state["patch_embed.proj.bias"])
    close(actual.flatten(1), expected)
    dense = {
        "blocks.0.mlp.fc1": "Transformer/encoderblock_0/MlpBlock_3/Dense_0",
        "blocks.0.mlp.fc2": "Transformer/encoderblock_0/MlpBlock_3/Dense_1",
        "pre_logits.fc": "pre_logits",
        "head": "head",
    }
    for ours, theirs in dense.items():
        x = rng.normal(size=(2, saved[f"{theirs}/kernel"].shape[0])).astype(np.float32)
        actual = F.linear(torch.from_numpy(x), state[f"{ours}.weight"], state[f"{ours}.bias"])
        close(actual, x @ saved[f"{theirs}/kernel"] + saved[f"{theirs}/bias"])


def test_norms_positions_and_class_token(loaded):
    saved, state = loaded
    same = {
        "blocks.0.norm1.weight": "Transformer/encoderblock_0/LayerNorm_0/scale",
        "blocks.0.norm2.bias": "Transformer/encoderblock_0/LayerNorm_2/bias",
        "norm.weight": "Transformer/encoder_norm/scale",
        "pos_embed": "Transformer/posembed_input/pos_embedding",
        "cls_token": "cls",
    }
    for ours, theirs in same.items():
        assert np.array_equal(state[ours].numpy(), saved[theirs])


def test_a_part_of_a_model_is_refused(tmp_path):
    saved = arrays(np.random.default_rng(0))
    del saved["Transformer/encoderblock_0/MultiHeadDotProductAttention_1/key/bias"]
    np.savez(tmp_path / "vit.npz", **saved)
    with pytest.raises(UserError, match=r"no whole JAX vision transformer.*key/bias"):
        read_state_dict(tmp_path / "vit.npz")


def test_other_arrays_keep_their_names(tmp_path):
    np.savez(tmp_path / "weights.npz", **{"a.weight": np.ones((2, 3), np.float32)})
    assert read_state_dict(tmp_path / "weights.npz")["a.weight"].shape == (2, 3)


@pytest.mark.parametrize("keep", [0.4, 0.97])
def test_torn_files(tmp_path, keep):
    np.savez(tmp_path / "vit.npz", **arrays(np.random.default_rng(0)))
    content = (tmp_path / "vit.npz").read_bytes()
    (tmp_path / "vit.npz").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match="damaged"):
        read_state_dict(tmp_path / "vit.npz")
