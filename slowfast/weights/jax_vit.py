"""Vision transformers as their JAX authors publish them (.npz): read as arrays, renamed to the PyTorch names."""

import re

import numpy as np
import torch

from slowfast.utils.errors import UserError

PREFIXES = ("opt/target/", "params/")  # of training checkpoints
BLOCK = re.compile(r"Transformer/encoderblock_(\d+)/(.+)")
ATTENTION = "MultiHeadDotProductAttention_1"
NORMS = {"LayerNorm_0": "norm1", "LayerNorm_2": "norm2"}
DENSE = {"MlpBlock_3/Dense_0": "mlp.fc1", "MlpBlock_3/Dense_1": "mlp.fc2"}
TOP = {
    "cls": "cls_token",
    "Transformer/posembed_input/pos_embedding": "pos_embed",
    "Transformer/encoder_norm/scale": "norm.weight",
    "Transformer/encoder_norm/bias": "norm.bias",
    "embedding/bias": "patch_embed.proj.bias",
    "pre_logits/bias": "pre_logits.fc.bias",
    "head/bias": "head.bias",
}
KINDS = {"scale": "weight", "kernel": "weight"}
TOP_TRANSPOSED = {"pre_logits/kernel": "pre_logits.fc.weight", "head/kernel": "head.weight"}


def read_npz(path):
    """Arrays of an .npz file as tensors, by name.

    Raises: UserError: damaged, or with arrays of Python objects, which only running code could read.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except Exception as error:  # numpy and zipfile raise nearly anything on foreign bytes
        if "Object arrays" in str(error):
            raise UserError(
                f"checkpoint {path} holds arrays of Python objects, which cannot be read without running code; nothing "
                "of it was run. Where you trust its source, load it there and save its numbers alone: "
                "numpy.savez('weights.npz', **{name: array.astype('float32') for name, array in arrays.items()})."
            ) from None
        raise UserError(
            f"checkpoint {path} is damaged, cut short or foreign: {error}. Copy or download it again."
        ) from error


def is_jax_vit(names):
    """Whether a file's names are those of a JAX vision transformer."""
    return any(BLOCK.fullmatch(_without_prefix(name)) for name in names)


def to_torch_names(arrays):
    """State dict with timm's names and layouts.

    Args:
        arrays: name -> tensor. Kernels are (in, out), heads apart: query, key, value (D, heads, E) and out
            (heads, E, D); the patch kernel is (rows, columns, channels, D).
    Returns:
        dict: name -> tensor; names that no vision transformer has stay as they are.
    """
    arrays = {_without_prefix(name): tensor for name, tensor in arrays.items()}
    state = {}
    for name, tensor in arrays.items():
        block = BLOCK.fullmatch(name)
        if block is None:
            state.update(_top(name, tensor))
        elif not block[2].startswith(ATTENTION):
            state[f"blocks.{block[1]}.{_in_block(block[2])}"] = tensor.T if name.endswith("kernel") else tensor
        elif block[2].startswith(f"{ATTENTION}/query/"):
            state.update(_packed(arrays, block[1], name.rpartition("/")[2]))
        elif block[2].startswith(f"{ATTENTION}/out/"):
            state.update(_out(block[1], name, tensor))
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _without_prefix(name):
    return next((name[len(prefix) :] for prefix in PREFIXES if name.startswith(prefix)), name)


def _top(name, tensor):
    if name == "embedding/kernel":
        return {"patch_embed.proj.weight": tensor.permute(3, 2, 0, 1)}  # (D, channels, rows, columns)
    if name in TOP_TRANSPOSED:
        return {TOP_TRANSPOSED[name]: tensor.T}
    return {TOP.get(name, name): tensor}


def _in_block(name):
    module, _, kind = name.rpartition("/")
    target = NORMS.get(module) or DENSE.get(module) or module
    return f"{target}.{KINDS.get(kind, kind)}"


def _packed(arrays, index, kind):
    """query, key and value of a block as one matrix (3 D, D) or vector (3 D,)."""
    names = [f"Transformer/encoderblock_{index}/{ATTENTION}/{part}/{kind}" for part in ("query", "key", "value")]
    parts = [arrays[name].flatten(1).T if kind == "kernel" else arrays[name].flatten() for name in names]
    return {f"blocks.{index}.attn.qkv.{'weight' if kind == 'kernel' else 'bias'}": torch.cat(parts)}


def _out(index, name, tensor):
    if name.endswith("kernel"):
        return {f"blocks.{index}.attn.proj.weight": tensor.flatten(0, 1).T}
    return {f"blocks.{index}.attn.proj.bias": tensor}
