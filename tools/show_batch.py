#!/usr/bin/env python
"""Pictures and films of what a model receives: python tools/show_batch.py --cfg FILE [--num 4] [KEY VALUE ...]

For training (augmented and mixed as in the run), validation and every test view a PNG and an mp4 in OUTPUT_DIR/batches:
each clip with its label, video, frame numbers, what was drawn, and the stored picture with the crop's outline.
"""

import argparse
import sys
from pathlib import Path

from slowfast.config import load_cfg
from slowfast.engine.shown import shown_batches
from slowfast.evaluation.sheets import draw_sheet, film_frames, write_film
from slowfast.evaluation.strips import write_png
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE
from slowfast.utils.logging import get_logger


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML of the run")
    parser.add_argument("--num", type=int, default=4, help="videos in each picture (default: 4)")
    parser.add_argument("--epoch", type=int, default=0, help="whose first training batch to show (default: 0)")
    parser.add_argument("--out", default="", metavar="FOLDER", help="default: OUTPUT_DIR/batches")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    args = parser.parse_args(argv)
    if args.num < 1 or args.epoch < 0:
        parser.error(f"--num is {args.num}, --epoch {args.epoch}; they must be at least 1 and 0")
    return args


def main(argv=None):
    args = parse_args(argv)
    cfg = load_cfg(args.cfg, [*args.opts, "DATA_LOADER.NUM_WORKERS", "0"])
    folder = Path(args.out or Path(cfg.OUTPUT_DIR) / "batches")
    for name, heading, clips in shown_batches(cfg, epoch=args.epoch, num=args.num):
        write_png(folder / f"{name}.png", draw_sheet(clips, f"{args.cfg}: {heading}"))
        write_film(folder / f"{name}.mp4", film_frames(clips))
        get_logger().info(f"{folder}/{name}.png and .mp4: {len(clips)} clips")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
