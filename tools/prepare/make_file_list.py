#!/usr/bin/env python
"""Write train.csv, val.csv and classes.txt for a folder with a folder of clips for each class.

Where --folder has folders train and val (and test), these are the splits; else a share of each class is held out, by a
hash of the names, so that new clips never move old ones from one side to the other.
"""

import argparse
import os
import sys
from pathlib import Path

from slowfast.datasets.folders import find_clips, list_clips
from slowfast.datasets.packing.jobs import list_text
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write_text


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--folder", type=Path, required=True, default=argparse.SUPPRESS, help="one folder a class")
    add("--out", type=Path, help="folder of the lists; --folder itself if not given")
    add("--val_fraction", type=float, default=0.2, help="share of each class that is held out, 0 to below 1")
    add("--overwrite", action="store_true", help="replace lists that are there")
    args = parser.parse_args(argv)
    if not 0 <= args.val_fraction < 1:
        parser.error(f"--val_fraction is {args.val_fraction}; it must be in [0, 1)")
    return args


def make_file_list(folder, out, val_fraction, *, overwrite=False):
    """dict name of a file -> number of its lines; "test.csv" only where there is a folder for it.

    Raises: UserError: no such folder, no classes, no clips; a list that is there with another content.
    """
    if not folder.is_dir():
        raise UserError(f"--folder {folder}: no such folder")
    classes, clips = find_clips(folder, "train", list_clips, val_fraction)
    lists = {"train.csv": clips}
    for split in ("val", "test"):
        if val_fraction > 0 or any((folder / name).is_dir() for name in ("train", "training")):
            held_out = find_clips(folder, split, list_clips, val_fraction)[1]
            if held_out != lists.get("val.csv"):  # without a test.csv, the test runs on val.csv
                lists[f"{split}.csv"] = held_out
    texts = {name: list_text([(_relative(path, out), label) for path, label in rows]) for name, rows in lists.items()}
    texts["classes.txt"] = "".join(f"{name}\n" for name in classes)
    for name, text in texts.items():
        if not overwrite and (out / name).exists() and (out / name).read_text(errors="replace") != text:
            raise UserError(f"{out / name} is there and says something else; choose another --out, or --overwrite")
    for name, text in texts.items():
        atomic_write_text(out / name, text)
    return {name: len(rows) for name, rows in lists.items()} | {"classes.txt": len(classes)}


def _relative(path, out):
    """Relative where the clips lie below the lists, so that the folder can be moved; else absolute."""
    path, out = os.path.abspath(path), os.path.abspath(out)
    return os.path.relpath(path, out) if path.startswith(out + os.sep) else path


def main():
    args = parse_args()
    out = args.out or args.folder
    counts = make_file_list(args.folder, out, args.val_fraction, overwrite=args.overwrite)
    for name, count in counts.items():
        print(f"{out / name}: {count} {'classes' if name == 'classes.txt' else 'clips'}")
    print(f"train with DATA.PATH_TO_DATA_DIR {out} MODEL.NUM_CLASSES {counts['classes.txt']}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
