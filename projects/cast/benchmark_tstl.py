#!/usr/bin/env python
"""One TSTL against as many whole models: clips a second of a routed batch, memory, and size of the checkpoint:
python projects/cast/benchmark_tstl.py [--size base] [--memory]

Speed: a batch whose clips go to all experts as evenly as can be, against the same clips one at a time; both must give
the same scores. Also the selector's pass alone, and the experts' pass with all clips at one expert, which tells what
the splitting costs. --memory: resident memory of a process with one TSTL, and with one whole model times their number.
"""

import argparse
import sys
import time
from multiprocessing import get_context

import psutil
import torch

from projects.cast.tstl.member import TSTLMember
from projects.cast.tstl.model import TSTL
from projects.cast.tstl.routing import fuse
from slowfast.models.vit import SIZES
from slowfast.utils import memory
from slowfast.utils.command_line import run_command
from slowfast.weights.trained_part import frozen_part

SMALL = {"embed_dim": 48, "depth": 4, "num_heads": 4, "patch_size": 8}  # width 48, clips of 8 frames of 24 px
CLASSES = 174


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("width48", "small", "base"), default="width48", help="default: width48")
    parser.add_argument("--experts", type=int, default=15, help="default: 15")
    parser.add_argument("--frames", type=int, help="default: 8 for width48, else 16")
    parser.add_argument("--crop", type=int, help="px (default: 24 for width48, else 224)")
    parser.add_argument("--batch", type=int, default=16, help="clips (default: 16)")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each, the median counts (default: 5)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: torch's own")
    parser.add_argument("--device", default="cpu", help="cpu | cuda (default: cpu)")
    parser.add_argument("--memory", action="store_true", help="measure memory and checkpoints, no speed")
    args = parser.parse_args(argv)
    small = args.size == "width48"
    args.frames, args.crop = args.frames or (8 if small else 16), args.crop or (24 if small else 224)
    return args


def sizes_of(args):
    """(frames, px, sizes of the network)."""
    if args.size == "width48":
        return args.frames, args.crop, SMALL
    return args.frames, args.crop, dict(zip(("embed_dim", "depth", "num_heads"), SIZES[args.size]))


def build_tstl(args):
    torch.manual_seed(0)
    frames, crop, sizes = sizes_of(args)
    of_class = [label % args.experts for label in range(CLASSES)]
    model = TSTL(CLASSES, frames, crop, of_class=of_class, **sizes).eval()
    for parameter in model.parameters():  # zeros at the start would hide differences between experts
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    print(f"{args.size}, clips of {args.frames} x {args.crop} px, {args.experts} experts, {args.threads} thread(s)")
    print(f"{args.device}, torch {torch.__version__}\n")
    if args.memory:
        print_memory(args)
    else:
        print_speed(args)
    return 0


@torch.inference_mode()
def print_speed(args):
    device = torch.device(args.device)
    model = build_tstl(args).to(device)
    frames, crop, _ = sizes_of(args)
    clips = torch.randn(args.batch, 3, frames, crop, crop, device=device)
    experts = (torch.arange(args.batch, device=device) % args.experts)[:, None]
    together, alone = routed(model, clips, experts), one_by_one(model, clips, experts)
    worst = (together - alone).abs().max().item()
    assert worst <= 1e-4 * max(1.0, alone.abs().max().item()), f"the two ways differ by {worst}"
    streams = model.embed(clips)
    ways = {
        "one clip at a time": lambda: one_by_one(model, clips, experts),
        "the batch": lambda: routed(model, clips, experts),
        "of it the selector": lambda: model.select(clips, streams),
        "of it the experts": lambda: model.ask(clips, streams, experts),
        "the experts' pass, all clips at one": lambda: model.ask(clips, streams, torch.zeros_like(experts)),
    }
    seconds = median_seconds(ways, args.repeats, device)
    print("| way | ms | clips/s |\n|---|---|---|")
    for way, taken in seconds.items():
        print(f"| {way} | {1000 * taken:.1f} | {args.batch / taken:.1f} |")
    ratio = seconds["one clip at a time"] / seconds["the batch"]
    print(f"\nthe batch has {ratio:.2f} times the clips a second; largest difference of a score {worst:.1e}")


def routed(model, clips, experts):
    """Scores (B, K) of a batch with the selector's pass, but experts as given, int64 (B, 1)."""
    streams = model.embed(clips)
    selector_logits = model.select(clips, streams)[0].float()
    return fuse("maxlogit", selector_logits, experts, model.ask(clips, streams, experts))[1]


def one_by_one(model, clips, experts):
    """As `routed`, clip by clip."""
    return torch.cat([routed(model, *pair) for pair in zip(clips.split(1), experts.split(1))])


def median_seconds(ways, repeats, device):
    """name -> median seconds of a call; the ways take turns, the first round does not count."""
    taken = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, call in ways.items():
            _wait(device)
            start = time.perf_counter()
            call()
            _wait(device)
            if repeat:
                taken[name].append(time.perf_counter() - start)
    return {name: sorted(values)[len(values) // 2] for name, values in taken.items()}


def _wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def print_memory(args):
    count = args.experts + 1
    resident = {}
    for kind in ("TSTL", "whole"):
        with get_context("spawn").Pool(1) as pool:
            resident[kind] = pool.apply(_resident, (kind, args))
    print("| | MiB resident | MiB of weights in its file |\n|---|---|---|")
    whole, trained = (weights / 2**20 for weights in file_weights(args))
    print(f"| one whole model | {resident['whole'] / 2**20:.0f} | {whole:.0f} |")
    print(f"| {count} whole models, by that one | {count * resident['whole'] / 2**20:.0f} | {count * whole:.0f} |")
    print(f"| one TSTL | {resident['TSTL'] / 2**20:.0f} | {trained:.0f}, without the trunk |")
    ratio = resident["TSTL"] / resident["whole"] / count
    print(f"| ratio | {ratio:.4f} | {trained / (count * whole):.4f} |")


def _resident(kind, args):
    """Bytes of resident memory that the built model adds to a process."""
    memory.return_freed()
    process = psutil.Process()
    before = process.memory_info().rss
    frames, crop, sizes = sizes_of(args)
    model = build_tstl(args) if kind == "TSTL" else TSTLMember(CLASSES, frames, crop, **sizes)
    after = process.memory_info().rss
    assert next(model.parameters()).numel()
    return after - before


def file_weights(args):
    """Bytes of weights in the file of one whole model, and in that of a TSTL, which lacks the trunk."""
    frames, crop, sizes = sizes_of(args)
    with torch.device("meta"):
        whole = TSTLMember(CLASSES, frames, crop, **sizes)
        of_class = [label % args.experts for label in range(CLASSES)]
        model = TSTL(CLASSES, frames, crop, of_class=of_class, **sizes)
    trunk = frozen_part(model)
    kept = {name: tensor for name, tensor in model.state_dict().items() if name not in trunk}
    return [sum(t.numel() * t.element_size() for t in state.values()) for state in (whole.state_dict(), kept)]


if __name__ == "__main__":
    sys.exit(run_command(main))
