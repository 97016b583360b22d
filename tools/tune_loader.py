#!/usr/bin/env python
"""Find loader settings for this machine and these videos: python tools/tune_loader.py --cfg FILE [KEY VALUE ...]

Tries readers, numbers of workers and prefetching on the training split, and says what bounds the loader and what to put
into the YAML. Nothing is trained or written.
"""

import argparse
import shutil
import sys

from slowfast.config import load_cfg
from slowfast.engine.speed.loader_stages import batch_bytes
from slowfast.engine.speed.loader_tuning import SHARED_MEMORY, bound, trials_table, tune
from slowfast.engine.speed.timing import format_table
from slowfast.utils import distributed
from slowfast.utils.command_line import run_command


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, help="YAML file of the run")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured for each setting (default: 10)")
    parser.add_argument("opts", nargs="*", help="KEY VALUE ... as for run_net.py")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)

    def load(changes):
        return load_cfg(args.cfg, [*args.opts, *(word for pair in changes.items() for word in pair)])

    best, trials, stages = tune(load, args.seconds, say=print)
    cores, cfg = distributed.available_cores(), load({})
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None
    print(f"\n{trials_table(trials)}\n\n{format_table(stages)}\n")
    for sentence in bound(best, stages, cores=cores, batch_bytes=batch_bytes(cfg), free_bytes=free):
        print(sentence)
    print(
        f"\nFor one training process on this machine:\nDATA:\n  READER: {best.reader}\nDATA_LOADER:\n"
        f"  NUM_WORKERS: {best.num_workers}\n  PREFETCH_FACTOR: {best.prefetch_factor}"
    )
    if cfg.NUM_GPUS > 1:
        print(f"Share the workers among NUM_GPUS {cfg.NUM_GPUS}: {max(1, best.num_workers // cfg.NUM_GPUS)} for each.")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
