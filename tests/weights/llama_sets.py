"""LLaMA checkpoints with random numbers, written as Meta and Hugging Face lay them out."""

import json

import torch
from safetensors.torch import save_file

SIZES = {"dim": 48, "heads": 6, "kv_heads": 2, "ffn": 56}
TO_HUGGING_FACE = {
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def meta_state(num_layers=4, *, dim=48, heads=6, kv_heads=2, ffn=56, seed=0):
    """A whole model with Meta's names, float16."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, generator=random).mul(0.1).half()

    state = {"tok_embeddings.weight": draw(11, dim), "norm.weight": draw(dim), "output.weight": draw(11, dim)}
    state["rope.freqs"] = draw(dim // heads // 2)
    key_dim = dim // heads * kv_heads
    for index in range(num_layers):
        stem = f"layers.{index}"
        for name, rows in (("wq", dim), ("wk", key_dim), ("wv", key_dim), ("wo", dim)):
            state[f"{stem}.attention.{name}.weight"] = draw(rows, dim)
        for name, shape in (("w1", (ffn, dim)), ("w2", (dim, ffn)), ("w3", (ffn, dim))):
            state[f"{stem}.feed_forward.{name}.weight"] = draw(*shape)
        for name in ("attention_norm", "ffn_norm"):
            state[f"{stem}.{name}.weight"] = draw(dim) + 1
    return state


def to_hugging_face(state, *, heads=6, kv_heads=2):
    """The same model with Hugging Face's names, and with the rows of queries and keys in its order."""
    renamed = {}
    for name, tensor in state.items():
        if name == "rope.freqs":
            continue
        new = {"tok_embeddings.weight": "model.embed_tokens.weight", "output.weight": "lm_head.weight"}.get(name)
        for meta, theirs in TO_HUGGING_FACE.items():
            if f".{meta}." in name:
                new = "model." + name.replace(meta, theirs)
        for kind, count in (("wq", heads), ("wk", kv_heads)):
            if f".{kind}." in name:  # pairs that rotate together: neighbours there, half a head apart here
                pairs = tensor.view(count, len(tensor) // count // 2, 2, -1)
                tensor = pairs.transpose(1, 2).reshape(tensor.shape).contiguous()
        renamed[new or f"model.{name}"] = tensor
    return renamed


def write_hugging_face(folder, state, *, shards=1, heads=6, kv_heads=2, **settings):
    """Safetensors with config.json; several shards with an index, the entries in turn over them."""
    folder.mkdir(parents=True)
    config = {"num_attention_heads": heads, "num_key_value_heads": kv_heads, "rms_norm_eps": 1e-6, "hidden_act": "silu"}
    (folder / "config.json").write_text(json.dumps(config | settings))
    if shards == 1:
        save_file(state, folder / "model.safetensors")
        return folder
    names = [f"model-{index:05d}-of-{shards:05d}.safetensors" for index in range(1, shards + 1)]
    places = {key: names[index % shards] for index, key in enumerate(state)}
    for name in names:
        save_file({key: tensor for key, tensor in state.items() if places[key] == name}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder


def write_meta(folder, state, *, slices=1, heads=6, kv_heads=2):
    """consolidated.*.pth with params.json; several files each hold a slice of every weight."""
    folder.mkdir(parents=True)
    params = {"n_heads": heads, "n_kv_heads": kv_heads, "norm_eps": 1e-6}
    (folder / "params.json").write_text(json.dumps(params))
    for index in range(slices):
        part = {}
        for name, tensor in state.items():
            along = 1 if name.endswith((".wo.weight", ".w2.weight", "tok_embeddings.weight")) else 0
            whole = tensor.ndim < 2
            part[name] = tensor if whole else tensor.chunk(slices, dim=along)[index].clone()
        torch.save(part, folder / f"consolidated.{index:02d}.pth")
    return folder
