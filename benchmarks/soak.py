#!/usr/bin/env python
"""Memory of a loader that runs for long: python benchmarks/soak.py FOLDER ... [--clips 20000]

Reads training clips from all videos below the folders, epoch after epoch, as training does, and prints the resident
memory (RSS) of the loading process and of each worker at the start, in the middle and at the end, in Markdown: medians
over twentieths of the run. Exit code 1 where any of them ends more than --tolerance above its start.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from slowfast.config import load_cfg
from slowfast.datasets.build import construct_loader
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text
from slowfast.utils.memory import resident_bytes

VIDEOS = (".mp4", ".webm", ".mkv", ".avi", ".mov", ".m4v")
PARTS = 20  # of the run, each of which is measured
START = 1  # the part from which growth counts: in the first one caches fill


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="read every video below these")
    parser.add_argument("--clips", type=int, default=20000, help="clips to read (default: 20000)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--batch", type=int, default=8, help="clips a batch (default: 8)")
    parser.add_argument("--tolerance", type=float, default=0.02, help="growth that is allowed (default: 0.02)")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--opts", nargs="*", default=[], help="KEY VALUE ... of the configuration")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    videos = sorted(p for folder in args.folders for p in folder.rglob("*") if p.suffix.lower() in VIDEOS)
    if len(videos) < args.batch:
        raise UserError(
            f"{len(videos)} videos below {', '.join(map(str, args.folders))}, fewer than a batch of {args.batch}"
        )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.csv").write_text("".join(f"{path.resolve()},0\n" for path in videos))
        loader = construct_loader(load_cfg(None, options(folder, args)), "train")
        parts = soak(loader, args.clips)
    report(parts)
    verdict = judge(parts, args.tolerance)
    print(f"\n{verdict['text']}")
    if args.out:
        result = {"videos": len(videos), "command": sys.argv[1:], "parts": parts, **verdict}
        atomic_write_text(args.out, json.dumps(result, indent=1) + "\n")
    return 0 if verdict["flat"] else 1


def options(folder, args):
    """Overrides of the default configuration; those of the command line win."""
    chosen = {
        "DATA.PATH_TO_DATA_DIR": folder,
        "DATA.PATH_LABEL_SEPARATOR": ",",
        "TRAIN.BATCH_SIZE": args.batch,
        "DATA_LOADER.NUM_WORKERS": args.workers,
        "DATA.NUM_FRAMES": 8,
        "DATA.SAMPLING_RATE": 4,
        "DATA.TRAIN_JITTER_SCALES": [128, 160],
        "DATA.TRAIN_CROP_SIZE": 112,
    }
    return [word for pair in chosen.items() for word in pair] + args.opts


def soak(loader, clips):
    """Read `clips` clips; for each part of PARTS: clips so far, seconds, each process's median MiB over its batches."""
    parts, measured, done, epoch, start = [], [], 0, 0, time.monotonic()
    others = children()
    while done < clips:
        loader.batch_sampler.set_position(epoch, 0)
        for batch in loader:
            done += len(batch)
            measured.append(processes(others))
            if done >= (len(parts) + 1) * clips / PARTS:
                mib = {name: round(median(each[name] for each in measured), 1) for name in measured[0]}
                parts.append({"clips": done, "seconds": round(time.monotonic() - start, 1), "mib": mib})
                print(parts[-1], flush=True)
                measured = []
            if done >= clips:
                break
        epoch += 1
    return parts


def children():
    """Ids of this process's children, by the order in which they started."""
    own = os.getpid()
    return [int(child) for child in Path(f"/proc/{own}/task/{own}/children").read_text().split()]


def processes(others):
    """MiB of this process and of its children, but `others`, by the order in which they started."""
    workers = [child for child in children() if child not in others]
    names = {"loader": os.getpid()} | {f"worker {i}": worker for i, worker in enumerate(workers)}
    return {name: resident_bytes(pid) / 2**20 for name, pid in names.items()}


def report(parts):
    names = list(parts[0]["mib"])
    print(f"\n| clips | {' | '.join(f'{name}, MiB' for name in names)} |\n|{'---|' * (len(names) + 1)}")
    for part in (parts[START], parts[len(parts) // 2], parts[-1]):
        print(f"| {part['clips']:,} | {' | '.join(str(part['mib'][name]) for name in names)} |")


def judge(parts, tolerance):
    """dict: "growth", of each process from the start to the end; "flat"; "text"."""
    start, end = parts[START]["mib"], parts[-1]["mib"]
    growth = {name: round(end[name] / before - 1, 4) for name, before in start.items()}
    flat = max(growth.values()) <= tolerance
    grown = ", ".join(f"{name} {share:+.1%}" for name, share in growth.items())
    return {"growth": growth, "flat": flat, "text": f"{'flat' if flat else 'NOT FLAT'} within {tolerance:.0%}: {grown}"}


if __name__ == "__main__":
    sys.exit(run_command(main))
