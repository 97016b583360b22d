#!/usr/bin/env python
"""Merge Kinetics-400, 600 and 700 into one set to train on (Kinetics-722), without duplicates and validation leaks.

python tools/prepare/merge_kinetics.py --out data/kinetics722 \\
    --set k400=data/kinetics400 --set k600=data/kinetics600 --set k700=data/kinetics700

Each folder holds classes.txt (a name or `id,name` a line), train.csv, val.csv and, where there is one, test.csv:
lists of `path label` lines, or the official tables. A YouTube video of any validation or test list is left out of
training, and one that comes twice stays once, as the first named set has it.

Writes to --out: classes.txt, train.csv, val.csv, SET_rows.txt (for WEIGHTS.CLASS_INDEX_PATH: which merged class each
class of a set is), removed.csv (what was left out, why, and what stays), report.json with the counts.
"""

import argparse
import csv
import io
import json
import os
import sys
from pathlib import Path

from slowfast.datasets.kinetics_merge import merge, read_set, report
from slowfast.datasets.packing.jobs import list_text
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write_text


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--set", dest="sets", action="append", required=True, metavar="NAME=FOLDER", help="the first one goes first")
    add("--out", type=Path, required=True, help="folder of what is written")
    add("--aliases", default="", help="lines `name,merged name`: a class that two sets call differently")
    add(
        "--clip_name",
        default="{id}_{start:06d}_{end:06d}.mp4",
        help="official tables: file in FOLDER (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    pairs = [text.partition("=") for text in args.sets]
    if any(not (name and folder) for name, _, folder in pairs):
        parser.error("--set takes NAME=FOLDER, e.g. k400=data/kinetics400")
    args.sets = {name: Path(folder) for name, _, folder in pairs}
    if len(args.sets) < len(pairs):
        parser.error("--set: a name comes twice")
    return args


def write(merged, out):
    """All files of a Merged."""
    for split in ("train", "val"):
        rows = [(_findable(clip.path), number) for clip, number in getattr(merged, split)]
        atomic_write_text(out / f"{split}.csv", list_text(rows))
    atomic_write_text(out / "classes.txt", _table(enumerate(merged.classes)))
    for name, rows in merged.index.items():
        atomic_write_text(out / f"{name}_rows.txt", "".join(f"{row}\n" for row in rows))
    header = ("set", "split", "path", "class", "reason", "stays_set", "stays_split", "stays_path", "stays_class")
    removed = [
        (clip.set_name, clip.split, clip.path, clip.label, reason, other.set_name, other.split, other.path, other.label)
        for clip, reason, other in merged.removed
    ]
    atomic_write_text(out / "removed.csv", _table([header, *removed]))
    atomic_write_text(out / "report.json", json.dumps(report(merged), indent=2) + "\n")


def _findable(path):
    """The absolute path of what is there; what is elsewhere stays as listed, for DATA.PATH_PREFIX."""
    return os.path.abspath(path) if os.path.exists(path) else path


def _table(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def main(argv=None):
    args = parse_args(argv)
    if args.out.resolve() in {folder.resolve() for folder in args.sets.values()}:
        raise UserError(f"--out {args.out} is the folder of a set, whose lists would be overwritten; name another")
    merged = merge({name: read_set(name, folder, args.clip_name) for name, folder in args.sets.items()}, args.aliases)
    write(merged, args.out)
    print(json.dumps(report(merged), indent=2))
    print(f"train with DATA.PATH_TO_DATA_DIR {args.out} MODEL.NUM_CLASSES {len(merged.classes)}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
