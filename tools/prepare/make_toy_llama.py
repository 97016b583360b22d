#!/usr/bin/env python
"""Train a small LLaMA on text, byte by byte, and write it as a sharded set of safetensors, as large ones come.

The text is Python's own language reference, which lies in its standard library; what it says does not matter, that the
layers learnt to work on sequences does. Layers of the set then serve as VIT_LLAMA.PATH. Takes a minute on one core.
"""

import argparse
import json
import math
import pydoc_data.topics
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from slowfast.models.layers.frozen_linear import FrozenLinear
from slowfast.models.layers.llama import LlamaAttention, LlamaLayer, RMSNorm
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE
from slowfast.utils.io import atomic_write_text
from slowfast.utils.rng import derive_seed
from slowfast.weights.llama_files import WEIGHTS

VOCABULARY = 256  # bytes
ROTARY_BASE = 10000.0
NORM_EPS = 1e-6
HELD_OUT = 0.05  # share of the text, its end, that only measures
SHARDS = 2


class CausalAttention(LlamaAttention):
    """LlamaAttention as a language model has it: rotary positions (https://arxiv.org/abs/2104.09864), no look ahead."""

    def attend(self, q, k, v, dropout_p=0.0):
        """q, k, v: (B, H, N, E) -> (B, H, N, E)."""
        return F.scaled_dot_product_attention(rotated(q), rotated(k), v, is_causal=True)


def rotated(x):
    """x: (B, H, N, E), token n's pairs of neighbouring channels turned by n / ROTARY_BASE ** (2 pair / E)."""
    pairs = x.unflatten(-1, (-1, 2))  # (B, H, N, E / 2, 2)
    speed = ROTARY_BASE ** -(torch.arange(pairs.shape[-2]) / pairs.shape[-2])
    angle = torch.arange(x.shape[-2])[:, None] * speed  # (N, E / 2)
    cos, sin = angle.cos(), angle.sin()
    turned = (pairs[..., 0] * cos - pairs[..., 1] * sin, pairs[..., 0] * sin + pairs[..., 1] * cos)
    return torch.stack(turned, dim=-1).flatten(-2)


class LanguageModel(nn.Module):
    """Bytes (B, N) -> scores of the next one (B, N, VOCABULARY). Layers as ViTLLaMA's, all trained."""

    def __init__(self, num_layers, dim, num_heads, ffn_dim):
        super().__init__()
        self.tok_embeddings = nn.Embedding(VOCABULARY, dim)
        self.layers = nn.ModuleList()
        for _ in range(num_layers):
            layer = LlamaLayer(dim, num_heads, num_heads, ffn_dim, norm_eps=NORM_EPS)
            layer.attention = CausalAttention(dim, num_heads, num_heads)
            self.layers.append(layer)
        self.norm = RMSNorm(dim, NORM_EPS)
        self.output = FrozenLinear(dim, VOCABULARY)
        self.requires_grad_(True)

    def forward(self, tokens):
        x = self.tok_embeddings(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x))


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the set")
    parser.add_argument("--layers", type=int, default=2, help="default: 2")
    parser.add_argument("--dim", type=int, default=128, help="default: 128")
    parser.add_argument("--heads", type=int, default=4, help="default: 4")
    parser.add_argument("--ffn_dim", type=int, default=344, help="default: 344")
    parser.add_argument("--steps", type=int, default=500, help="default: 500")
    parser.add_argument("--batch", type=int, default=24, help="sequences a step (default: 24)")
    parser.add_argument("--length", type=int, default=64, help="bytes of a sequence (default: 64)")
    parser.add_argument("--lr", type=float, default=2e-3, help="highest learning rate (default: 0.002)")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(derive_seed(args.seed, "toy llama"))
    torch.manual_seed(derive_seed(args.seed, "toy llama", "initialise"))
    text = "\n".join(pydoc_data.topics.topics.values()).encode()
    tokens = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
    cut = int(len(tokens) * (1 - HELD_OUT))
    model = LanguageModel(args.layers, args.dim, args.heads, args.ffn_dim)
    train(model, tokens[:cut], random, args)
    figures = measure(model, tokens[:cut], tokens[cut:], args.length)
    write_set(args.out, model, args.heads)
    atomic_write_text(args.out / "training.json", json.dumps({**vars(args), "out": str(args.out), **figures}, indent=1))
    print(", ".join(f"{name} {value:.2f}" for name, value in figures.items()) + f"; written to {args.out}")
    return EXIT_DONE


def train(model, tokens, random, args):
    """AdamW with warm-up and cosine over `args.steps` batches from random places."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(args.steps):
        share = step / args.steps
        rate = args.lr * min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = rate
        starts = torch.randint(len(tokens) - args.length, (args.batch, 1), generator=random)
        rows = tokens[starts + torch.arange(args.length + 1)]  # (B, N + 1)
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@torch.no_grad()
def measure(model, seen, held_out, length):
    """Bits a byte on the held-out text: the model's, and those of the frequencies of single bytes."""
    rows = held_out[: len(held_out) // (length + 1) * (length + 1)].view(-1, length + 1)[:200]
    loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    counts = torch.bincount(seen, minlength=VOCABULARY).double() + 1
    return {
        "bits_a_byte": loss.item() / math.log(2),
        "bits_a_byte_of_frequencies": -(counts / counts.sum()).log2()[held_out].mean().item(),
    }


def write_set(folder, model, num_heads):
    """Shards with an index and config.json. The rows of queries and keys keep their order, which ViTLLaMA ignores."""
    state = {"model.embed_tokens.weight": model.tok_embeddings.weight, "model.norm.weight": model.norm.weight}
    state["lm_head.weight"] = model.output.weight
    for number, layer in enumerate(model.layers):
        for name, (_, theirs, _) in WEIGHTS.items():
            state[f"model.layers.{number}.{theirs}.weight"] = layer.get_submodule(name).weight
    files = [f"model-{number:05d}-of-{SHARDS:05d}.safetensors" for number in range(1, SHARDS + 1)]
    places = {name: files[number * SHARDS // len(state)] for number, name in enumerate(state)}
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        save_file({name: tensor.detach() for name, tensor in state.items() if places[name] == file}, folder / file)
    config = {"model_type": "llama", "num_attention_heads": num_heads, "rms_norm_eps": NORM_EPS, "hidden_act": "silu"}
    atomic_write_text(folder / "config.json", json.dumps(config))
    atomic_write_text(folder / "model.safetensors.index.json", json.dumps({"metadata": {}, "weight_map": places}))


if __name__ == "__main__":
    sys.exit(run_command(main))
