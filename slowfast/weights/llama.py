"""The frozen layers of a ViTLLaMA: read from a LLaMA checkpoint, layer by layer, in the type in which they are held."""

from dataclasses import replace

import torch

from slowfast.models.layers.frozen_linear import FrozenLinear, quantise
from slowfast.utils.errors import UserError
from slowfast.weights.llama_files import WEIGHTS, LlamaFiles
from slowfast.weights.rules import weight_rules
from slowfast.weights.start import starts_from
from slowfast.weights.vits import video_vit

WHERE = "LLaMA's weights are at https://www.llama.com and https://huggingface.co/meta-llama, under Meta's licence"


@weight_rules("ViTLLaMA")
def vit_llama(model):
    """As a VideoViT; the frozen layers come from VIT_LLAMA.PATH, unless a whole ViT-LLaMA checkpoint holds them."""
    rules = video_vit(model)
    return replace(rules, head=(*rules.head, "llama_dim_mapper*", "llama.*"), prepare=lambda state: _held(state, model))


@starts_from("ViTLLaMA")
def start_from_llama(model, cfg):
    """Fill the frozen layers from VIT_LLAMA.PATH, or leave them random where VIT_LLAMA.RANDOM says so.

    Returns: texts for the log.
    Raises: UserError: no weights are named, or they do not fit.
    """
    section = cfg.VIT_LLAMA
    if section.BETWEEN != "llama":
        return []
    if not section.PATH:
        if not section.RANDOM:
            raise UserError(
                "VIT_LLAMA.PATH is empty: name a folder with LLaMA's weights, consolidated.*.pth or safetensors. "
                f"{WHERE}; nothing is downloaded unasked. VIT_LLAMA.RANDOM True keeps the frozen layers random"
            )
        model.frozen_source = f"random numbers of RNG_SEED {cfg.RNG_SEED}"
        return ["the frozen layers stay random, as VIT_LLAMA.RANDOM says"]
    try:
        texts = load_llama(model, section.PATH, first_layer=section.FIRST_LAYER, load_norm=section.LOAD_NORM)
    except UserError as error:
        raise UserError(f"VIT_LLAMA.PATH: {error}") from None
    return texts


def load_llama(model, path, *, first_layer, load_norm=False):
    """Fill model.llama from a LLaMA checkpoint; of each file, only what is needed is read, some rows at a time.

    Args:
        model: ViTLLaMA, changed in place; its `frozen_source` then says where the layers came from.
        path: folder or file; see LlamaFiles.
        first_layer: number, from 0, of the layer that becomes model.llama.layers[0].
        load_norm: take the last norm too; else it stays as it is, ones.
    Returns:
        texts for the log.
    Raises:
        UserError: a layer is not there or not whole, or has other sizes than the model.
    """
    files, layers = LlamaFiles(path), model.llama.layers
    for number in range(first_layer, first_layer + len(layers)):
        files.check_layer(number)
        _check_sizes(files, number, model.llama)
    remarks = _check_settings(files, model.llama)
    for number, layer in enumerate(layers, start=first_layer):
        for name in WEIGHTS:
            _fill(layer.get_submodule(name), files.rows(number, name))
    if load_norm:
        _fill(model.llama.norm, files.rows(None, "norm"))
    storage = layers[0].attention.wq.storage
    last = f" to {first_layer + len(layers) - 1}" if len(layers) > 1 else ""
    norm = "with" if load_norm else "without"
    model.frozen_source = f"layer {first_layer}{last} of {files.describe()}, held as {storage}, {norm} the last norm"
    return [f"frozen: {model.frozen_source}", *remarks]


@torch.no_grad()
def _fill(module, blocks):
    """Rows into a FrozenLinear, or into a norm, which has a single block."""
    for first_row, rows in blocks:
        if isinstance(module, FrozenLinear):
            module.fill(first_row, rows)
        else:
            module.weight[first_row : first_row + len(rows)] = rows


def _check_sizes(files, number, llama):
    """Raises: UserError naming every key that another size of the checkpoint asks for."""
    layer = llama.layers[0]
    there = {name: files.shape(number, name) for name in WEIGHTS}
    here = {name: tuple(layer.get_submodule(name).weight.shape) for name in WEIGHTS}
    if there == here:
        return
    (query_rows, dim), attention = there["attention.wq"], layer.attention
    if query_rows != dim:
        raise UserError(
            f"{files.path} holds {query_rows} rows of layer {number}'s queries, {dim} columns: the set is incomplete, "
            "or its heads together are not as wide as its tokens, which is not supported. Files there: "
            f"{', '.join(file.name for file in files.files)}."
        )
    wanted = {
        "DIM": (dim, len(layer.ffn_norm.weight)),
        "FFN_DIM": (there["feed_forward.w1"][0], here["feed_forward.w1"][0]),
    }
    if wanted["DIM"][0] == wanted["DIM"][1]:
        wanted["NUM_KV_HEADS"] = (there["attention.wk"][0] * attention.num_heads / dim, attention.num_kv_heads)
    wrong = [
        f"VIT_LLAMA.{key} is {ours}, the weights want {its:g}" for key, (its, ours) in wanted.items() if its != ours
    ]
    if not wrong:
        wrong = [
            f"{name} has shape {there[name]}, expected {here[name]}" for name in there if there[name] != here[name]
        ]
    raise UserError(f"{files.path}, layer {number}, has other sizes than the model: {'; '.join(wrong)}.")


def _check_settings(files, llama):
    """What the set says of itself that its tensors do not show; texts for the log.

    Raises: UserError where it would make other numbers of the same tensors.
    """
    settings, attention = files.settings, llama.layers[0].attention
    heads = settings.get("num_attention_heads", settings.get("n_heads"))
    if heads is None:
        return [f"no config.json or params.json beside the weights: {attention.num_heads} heads, as VIT_LLAMA says"]
    kv_heads = settings.get("num_key_value_heads", settings.get("n_kv_heads")) or heads
    wrong = [
        f"VIT_LLAMA.{key} is {here}, the weights want {there}"
        for key, there, here in (
            ("NUM_HEADS", heads, attention.num_heads),
            ("NUM_KV_HEADS", kv_heads, attention.num_kv_heads),
        )
        if there != here
    ]
    if (activation := settings.get("hidden_act", "silu")) != "silu":
        wrong.append(f"its activation is {activation}, LLaMA's is silu")
    if wrong:
        raise UserError(f"{files.path} is of another language model: {'; '.join(wrong)}.")
    eps = settings.get("rms_norm_eps", settings.get("norm_eps"))
    if eps is not None and eps != llama.norm.eps:
        return [f"the language model was trained with a norm eps of {eps:g}, VIT_LLAMA.NORM_EPS is {llama.norm.eps:g}"]
    return []


def _held(state, model):
    """A state dict with floating weights of frozen layers -> the same with them as an int8 model holds them."""
    for name, module in model.named_modules():
        weight = state.get(f"{name}.weight")
        if isinstance(module, FrozenLinear) and module.scale is not None and weight is not None:
            if weight.is_floating_point():
                packed, scale = quantise(weight)
                state = {**state, f"{name}.weight": packed, f"{name}.scale": scale}
    return state
