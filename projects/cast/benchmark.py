#!/usr/bin/env python
"""CAST-B's training step with fused and with explicitly written attention: python projects/cast/benchmark.py

One clip of 16 frames of 224 px, float32, CPU. Steps take turns and the median of the process's own CPU seconds counts;
memory is that of a process of its own above the built model, gradients included. Prints a Markdown table, and what
checkpoints hold with and without the frozen experts.
"""

import argparse
import statistics
import sys
import time
from multiprocessing import get_context

import torch
import torch.nn.functional as F

from projects.cast.model import CAST
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.attention import IMPLEMENTATIONS, set_attention
from slowfast.models.vit import SIZES
from slowfast.utils.command_line import run_command
from slowfast.utils.memory import peak_bytes, reset_peak

NUM_CLASSES = 174
CPU = torch.device("cpu")


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "base", "large"), default="base", help="default: base")
    parser.add_argument("--frames", type=int, default=16, help="default: 16")
    parser.add_argument("--crop", type=int, default=224, help="px (default: 224)")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    return parser.parse_args(argv)


def build(size, num_frames, crop):
    """CAST at a published size, its weights drawn from a fixed seed."""
    torch.manual_seed(0)
    return CAST(NUM_CLASSES, num_frames, crop, **dict(zip(("embed_dim", "depth", "num_heads"), SIZES[size])))


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    model = build(args.size, args.frames, args.crop)
    clip = torch.randn(1, 3, args.frames, args.crop, args.crop)
    seconds = {way: [] for way in IMPLEMENTATIONS}
    for repeat in range(args.repeats + 1):
        for way, times in seconds.items():
            set_attention(model, way)
            start = time.process_time()
            train_step(model, clip)
            if repeat:
                times.append(time.process_time() - start)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    peaks = {way: _peak(way, args) for way in IMPLEMENTATIONS}
    total, trained = count_parameters(model)
    print(
        f"CAST-{args.size[0].upper()}, clip {tuple(clip.shape)}, {args.threads} thread(s), torch {torch.__version__}\n"
    )
    print("| attention | CPU s a step | peak above the weights, MiB |\n|---|---|---|")
    for way in IMPLEMENTATIONS:
        print(f"| {way} | {medians[way]:.2f} | {peaks[way] / 2**20:.0f} |")
    ratios = medians["sdpa"] / medians["explicit"], peaks["sdpa"] / peaks["explicit"]
    print(f"| ratio | {ratios[0]:.2f} | {ratios[1]:.2f} |\n")
    print(
        f"{total / 1e6:.1f} M parameters, {gmacs(model, clip.shape):.1f} GFLOPs; {trained / total:.3f} of them trained"
    )
    return 0


def train_step(model, clip):
    model.zero_grad(set_to_none=True)
    F.cross_entropy(model(clip), torch.zeros(len(clip), dtype=torch.long)).backward()


def _peak(way, args):
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_step, (way, args.size, args.frames, args.crop, args.threads))


def _peak_of_step(way, size, num_frames, crop, threads):
    torch.set_num_threads(threads)
    model = build(size, num_frames, crop)
    set_attention(model, way)
    clip = torch.randn(1, 3, num_frames, crop, crop)
    reset_peak(CPU)
    before = peak_bytes(CPU)
    train_step(model, clip)
    return peak_bytes(CPU) - before


if __name__ == "__main__":
    sys.exit(run_command(main))
