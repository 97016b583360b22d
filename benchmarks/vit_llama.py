#!/usr/bin/env python
"""A training step of ViT-LLaMA, by the type that holds its frozen layer: python benchmarks/vit_llama.py

Time and memory for one clip, float32 computation, CPU; attention fused and written out (q k^T, softmax, v), with the
same weights. Every way has a process of its own: its first step shows the highest memory, from before the model was
built on, so that weights and gradients count; the steps after it are timed, or it itself with --repeats 0. Prints
Markdown.
"""

import argparse
import statistics
import sys
from multiprocessing import get_context

import torch

from benchmarks.backbones import CLOCKS, CPU, NUM_CLASSES, machine, train_step
from slowfast.models.layers.attention import IMPLEMENTATIONS, set_attention
from slowfast.models.layers.frozen_linear import STORAGE
from slowfast.models.vit import SIZES
from slowfast.models.vit_llama import ViTLLaMA
from slowfast.utils.command_line import run_command
from slowfast.utils.memory import peak_bytes, reset_peak


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "base", "large"), default="base", help="default: base")
    parser.add_argument("--frames", type=int, default=16, help="frames of the clip (default: 16)")
    parser.add_argument("--crop", type=int, default=224, help="px, height and width of the clip (default: 224)")
    parser.add_argument("--dim", type=int, default=4096, help="LLaMA's width, FFN in proportion (default: 4096)")
    parser.add_argument("--repeats", type=int, default=1, help="timed steps after the first one (default: 1)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: torch's own")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: processor time, on a busy machine")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    print(f"{machine()}; {args.threads} thread(s), {args.clock} time, {args.repeats} step(s) after the first\n")
    print("| frozen part | its MiB | step, fused (s) | explicit (s) | ratio | peak, fused (MiB) | explicit | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for storage in STORAGE:
        fused, explicit = (measure_apart(storage, attention, args) for attention in IMPLEMENTATIONS)
        held = held_bytes(storage, args)
        cells = [storage, f"{held / 2**20:.0f}"]
        for place, form in ((0, "{:.2f}"), (1, "{:.0f}")):
            cells += [form.format(fused[place]), form.format(explicit[place]), f"{fused[place] / explicit[place]:.2f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0


def build(storage, args):
    torch.manual_seed(0)
    sizes = dict(zip(("embed_dim", "depth", "num_heads"), SIZES[args.size]))
    llama = {"llama_dim": args.dim, "llama_heads": args.dim // 128, "ffn_dim": args.dim * 43 // 16, "storage": storage}
    return ViTLLaMA(NUM_CLASSES, args.frames, args.crop, **sizes, **llama, head_init_scale=1.0)


def held_bytes(storage, args):
    with torch.device("meta"):
        model = build(storage, args)
    return sum(parameter.numel() * parameter.element_size() for parameter in model.llama.parameters())


def measure_apart(storage, attention, args):
    """`measure` in a fresh process."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (storage, attention, args))


def measure(storage, attention, args):
    """(median seconds of a step, peak in MiB of a step with all that the model holds)."""
    torch.set_num_threads(args.threads)
    clip = torch.randn(1, 3, args.frames, args.crop, args.crop)
    reset_peak(CPU)
    before = peak_bytes(CPU)
    model = build(storage, args)
    set_attention(model, attention)
    reset_peak(CPU)
    clock, times, peak = CLOCKS[args.clock], [], 0
    for _ in range(args.repeats + 1):
        model.zero_grad(set_to_none=True)
        start = clock()
        train_step(lambda: model(clip))
        times.append(clock() - start)
        peak = peak or peak_bytes(CPU) - before
    return statistics.median(times[1:] or times), peak / 2**20


if __name__ == "__main__":
    sys.exit(run_command(main))
