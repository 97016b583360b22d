#!/usr/bin/env python
"""Memory and time of reading one layer of LLaMA-7B's size out of a larger set: python benchmarks/llama_reading.py

Makes the sets with random float16 numbers in a temporary folder (layers 14 to 16, 1.2 GB; --keep FOLDER keeps them for
the next time), then reads layer 15 in a process of its own for each kind of set and type. RssAnon, the memory that is
the process's own and no file's, is watched every 2 ms; growth counts from before the model's layer is built, so that it
holds the layer itself. Prints Markdown.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from slowfast.models.layers.frozen_linear import STORAGE
from slowfast.models.layers.llama import Llama
from slowfast.utils.command_line import run_command
from slowfast.weights.llama import load_llama
from slowfast.weights.llama_files import WEIGHTS

LAYER = 15
HEAD_DIM = 128
SHARDS = 3
KINDS = ("safetensors, 3 shards", "consolidated.00.pth")


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, default=None, help="folder where the sets stay; made if missing")
    parser.add_argument("--dim", type=int, default=4096, help="width; the rest in LLaMA's proportions (default: 4096)")
    parser.add_argument("--held", nargs="+", choices=STORAGE, default=list(STORAGE), help="types (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="default: 1")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    print("| set | held as | layer, MiB | growth of RssAnon, highest | ratio | at the end | ratio | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    with nullcontext(args.keep) if args.keep else tempfile.TemporaryDirectory() as folder:
        sets = make_sets(Path(folder), args.dim)
        for kind, path in sets.items():
            for storage in args.held:
                with get_context("spawn").Pool(1) as pool:
                    values, highest, end, seconds = pool.apply(measure, (path, storage, args.dim, args.threads))
                size = values * STORAGE[storage].itemsize
                sizes = [f"{part / 2**20:.0f} | {part / size:.2f}" for part in (highest, end)]
                print(f"| {kind} | {storage} | {size / 2**20:.0f} | {' | '.join(sizes)} | {seconds:.1f} |", flush=True)
    return 0


def ffn_dim_of(dim):
    return dim * 43 // 16  # 11008 for 4096


def make_sets(folder, dim):
    """kind -> folder with a set, made unless it is there."""
    paths = {kind: folder / kind.split(",")[0].split(".")[0] for kind in KINDS}
    shapes = dict.fromkeys(WEIGHTS, (dim, dim))
    shapes |= dict.fromkeys(("feed_forward.w1", "feed_forward.w3"), (ffn_dim_of(dim), dim))
    shapes |= {"feed_forward.w2": (dim, ffn_dim_of(dim)), "attention_norm": (dim,), "ffn_norm": (dim,)}

    random = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=random).half() for name, shape in shapes.items()}

    def named(column):  # of WEIGHTS; the layers have equal numbers and places of their own in the files
        return {
            f"{('', 'model.')[column]}layers.{layer}.{names[column]}.weight": weights[name].clone()
            for layer in range(LAYER - 1, LAYER + 2)
            for name, names in WEIGHTS.items()
        }

    sharded, consolidated = (paths[kind] for kind in KINDS)
    if not (sharded / "model.safetensors.index.json").exists():
        sharded.mkdir(parents=True, exist_ok=True)
        state = named(1)
        files = [f"model-{number:05d}-of-{SHARDS:05d}.safetensors" for number in range(1, SHARDS + 1)]
        places = {name: files[number % SHARDS] for number, name in enumerate(state)}
        for file in files:
            save_file({name: tensor for name, tensor in state.items() if places[name] == file}, sharded / file)
        (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    if not (consolidated / "consolidated.00.pth").exists():
        consolidated.mkdir(parents=True, exist_ok=True)
        torch.save(named(0), consolidated / "consolidated.00.pth")
    return paths


def measure(path, storage, dim, threads):
    """(values of the layer, highest growth of RssAnon in bytes, growth at the end, seconds)."""
    torch.set_num_threads(threads)
    warm_up()
    before, highest, done = rss_anon(), [0], threading.Event()

    def watch():
        while not done.wait(0.002):
            highest[0] = max(highest[0], rss_anon())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model = nn.Module()
    model.llama = Llama(1, dim, dim // HEAD_DIM, dim // HEAD_DIM, ffn_dim_of(dim), storage=storage)
    load_llama(model, path, first_layer=LAYER)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    values = sum(parameter.numel() for name, parameter in model.llama.layers.named_parameters() if "scale" not in name)
    return values, max(highest[0], rss_anon()) - before, rss_anon() - before, seconds


def warm_up():
    """What torch takes once: threads, kernels, its own modules."""
    with torch.no_grad():
        Llama(1, 64, 2, 2, 64, storage="int8")(torch.randn(1, 4, 64))


def rss_anon():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 2**10 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    sys.exit(run_command(main))
