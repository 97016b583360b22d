#!/usr/bin/env python
"""Re-encode videos at a smaller size as MP4 (H.264, no sound), with key frames often enough for fast seeking.

What training recipes ask for: --short_side 256 or 320 for Kinetics, --height 240 for Something-Something's webm. Videos
are never scaled up. Files appear whole or not at all; the same command goes on after a kill.
"""

import argparse
import os
import sys
from pathlib import Path

from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.datasets.folders import list_clips
from slowfast.datasets.packing.resize import resize_all
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, UserError


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Exit code 1: some videos could not be read; unreadable.csv in --out names them.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder", type=Path, default=argparse.SUPPRESS, help="all videos below this folder")
    source.add_argument("--csv", nargs="+", type=Path, default=argparse.SUPPRESS, help="lists, 'path label' a line")
    add("--out", type=Path, required=True, default=argparse.SUPPRESS, help="folder of the new files")
    add("--root", default="", help="with --csv: folder that relative paths start from; '' = the list's")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--short_side", type=int, default=argparse.SUPPRESS, help="px")
    size.add_argument("--height", type=int, default=argparse.SUPPRESS, help="px")
    add("--fps", type=float, help="frames a second to keep at most; all if not given")
    add("--crf", type=int, default=23, help="quality of H.264, 0 to 51, lower is better")
    add("--key_frames", type=int, default=32, help="frames from one key frame to the next")
    add("--workers", type=int, default=os.cpu_count(), help="processes")
    args = parser.parse_args(argv)
    for name, bound in {"short_side": 2, "height": 2, "crf": 0, "key_frames": 1, "workers": 1}.items():
        if getattr(args, name, bound) < bound:
            parser.error(f"--{name} is {getattr(args, name)}; it must be at least {bound}")
    if args.crf > 51 or (args.fps is not None and not args.fps > 0):
        parser.error("--crf goes up to 51, --fps must be above 0")
    return args


def main():
    args = parse_args()
    names, lists = {}, []
    if hasattr(args, "folder"):
        if not args.folder.is_dir():
            raise UserError(f"--folder {args.folder}: no such folder")
        names = {path: os.path.relpath(path, args.folder) for path in list_clips(args.folder)}
    for path in getattr(args, "csv", ()):
        records = read_kinetics_csv(path, args.root)
        listed = read_kinetics_csv(path, locate=lambda name: name)
        names |= {record.path: _below(row.path) for record, row in zip(records, listed)}
        lists.append((path.name, records))
    if not names:
        raise UserError(f"--folder {args.folder}: no videos below it")
    lost = resize_all(
        names,
        args.out,
        lists=lists,
        workers=args.workers,
        short_side=getattr(args, "short_side", None),
        height=getattr(args, "height", None),
        fps=args.fps,
        crf=args.crf,
        key_frames=args.key_frames,
    )
    return EXIT_LOST if lost else EXIT_DONE


def _below(name):
    """The name as a path below a folder: without a root, and without steps upwards."""
    return os.path.join(*(part for part in Path(name).parts if part not in ("/", "..", ".")))


if __name__ == "__main__":
    sys.exit(run_command(main))
