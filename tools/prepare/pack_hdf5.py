#!/usr/bin/env python
"""Pack the videos of lists as JPEG frames into HDF5 files, which training reads many times faster than video.

Writes shards, manifest.json (counts, rates, checksums) and the same lists for the packed videos: set
DATA.PATH_TO_DATA_DIR to --out. The same command goes on after a kill.
"""

import argparse
import os
import sys
from pathlib import Path

from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.datasets.packing.pack import LAYOUTS, pack_lists
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Exit code 1: some videos could not be read; unreadable.csv in --out names them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--csv", nargs="+", type=Path, required=True, default=argparse.SUPPRESS, help="lists, 'path label' a line")
    add("--out", type=Path, required=True, default=argparse.SUPPRESS, help="folder of the packs")
    add("--root", default="", help="folder that relative paths start from; '' = the list's, else the working one")
    add("--workers", type=int, default=os.cpu_count(), help="processes")
    add("--short_side", type=int, default=256, help="px to scale down to; 0 = as stored")
    add("--quality", type=int, default=90, help="of JPEG, 1 to 100")
    add("--fps", type=float, help="frames a second to keep at most; all if not given")
    add("--layout", choices=LAYOUTS, default="shards", help="shards; one single file; or a file for each video (XViT)")
    add("--shard_mib", type=int, default=1024, help="size at which a shard is closed, MiB")
    add("--verify", action="store_true", help="read all that is packed again and compare checksums")
    args = parser.parse_args(argv)
    lowest = {"workers": 1, "short_side": 0, "quality": 1, "shard_mib": 1}
    for name, bound in lowest.items():
        if getattr(args, name) < bound:
            parser.error(f"--{name} is {getattr(args, name)}; it must be at least {bound}")
    if args.quality > 100 or (args.fps is not None and not args.fps > 0):
        parser.error("--quality goes up to 100, --fps must be above 0")
    if len({path.name for path in args.csv}) < len(args.csv):
        parser.error("--csv: the lists need different names, since new ones of these names are written to --out")
    return args


def main():
    args = parse_args()
    lists = []
    for path in args.csv:
        records = read_kinetics_csv(path, args.root)
        names = [record.path for record in read_kinetics_csv(path, locate=lambda name: name)]
        lists.append((path.name, records, names))
    lost = pack_lists(
        lists,
        args.out,
        workers=args.workers,
        verify=args.verify,
        layout=args.layout,
        shard_bytes=args.shard_mib << 20,
        short_side=args.short_side or None,
        quality=args.quality,
        fps=args.fps,
    )
    return EXIT_LOST if lost else EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
