#!/usr/bin/env python
"""CAST-B's training step with fused and with explicitly written attention: python projects/cast/benchmark.py

One clip of 16 frames of 224 px, float32, CPU. Steps take turns and the median counts; memory is that of a process of
its own above the built model, gradients included. Prints a Markdown table, and the sizes of files that hold the weights
with and without the frozen experts.
"""

import argparse
import io
import statistics
import sys
import tempfile
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
from slowfast.weights import frozen_digest, without_frozen

NUM_CLASSES = 174
CPU = torch.device("cpu")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "base", "large"), default="base", help="default: base")
    parser.add_argument("--frames", type=int, default=16, help="default: 16")
    parser.add_argument("--crop", type=int, default=224, help="px (default: 224)")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each (default: 3)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: torch's own")
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: processor time, for --threads 1 on a busy machine"
    )
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
    seconds = step_seconds(model, clip, args.repeats, CLOCKS[args.clock])
    peaks = {way: _peak(way, args) for way in IMPLEMENTATIONS}
    print(f"CAST-{args.size[0].upper()}, clip {tuple(clip.shape)}, {args.threads} thread(s), torch {torch.__version__}")
    print(f"\n| attention | s a step ({args.clock}) | peak above the weights, MiB |\n|---|---|---|")
    for way in IMPLEMENTATIONS:
        print(f"| {way} | {seconds[way]:.2f} | {peaks[way] / 2**20:.0f} |")
    print(f"| ratio | {seconds['sdpa'] / seconds['explicit']:.2f} | {peaks['sdpa'] / peaks['explicit']:.2f} |\n")
    total, trained = count_parameters(model)
    print(
        f"{total / 1e6:.1f} M parameters, {trained / 1e6:.1f} M of them trained; {gmacs(model, clip.shape):.1f} GFLOPs"
    )
    whole, part = weights_bytes(model)
    print(f"file of all weights {whole / 2**20:.0f} MiB, of the trained part {part / 2**20:.0f}: {part / whole:.4f}")
    return 0


def step_seconds(model, clip, repeats, clock):
    """Median seconds of a training step by each attention, after one step that does not count."""
    seconds = {way: [] for way in IMPLEMENTATIONS}
    for repeat in range(repeats + 1):
        for way, times in seconds.items():
            set_attention(model, way)
            start = clock()
            train_step(model, clip)
            if repeat:
                times.append(clock() - start)
    return {way: statistics.median(times) for way, times in seconds.items()}


def weights_bytes(model):
    """Bytes of the files that torch.save makes of all weights, and of what CHECKPOINT.TRAINABLE_ONLY keeps."""
    whole = {"model_state": model.state_dict()}
    return [_saved_bytes(content) for content in (whole, without_frozen(whole, model, frozen_digest(model)))]


def _saved_bytes(content):
    with tempfile.TemporaryFile() as file:
        torch.save(content, file)
        return file.seek(0, io.SEEK_END)


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
