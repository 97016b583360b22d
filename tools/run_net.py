#!/usr/bin/env python
"""Train, test and benchmark what a YAML describes: python tools/run_net.py --cfg FILE KEY VALUE ..."""

import argparse
import sys

from slowfast.utils.signals import hold, ignore

hold()  # what follows takes seconds to import, and a cluster may want its node back in between

from slowfast.config import load_cfg
from slowfast.engine.benchmark import benchmark
from slowfast.engine.plan import dry_run
from slowfast.engine.processes.launch import launch
from slowfast.engine.series import runs_of
from slowfast.engine.test import test
from slowfast.engine.train import train
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_PREEMPTED, UserError

JOBS = {"TRAIN": train, "TEST": test, "BENCHMARK": benchmark}  # in this order


def parse_args(argv):
    """Everything after the files of --cfg that looks like KEY VALUE is an override, with or without --opts."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage="%(prog)s --cfg FILE [FILE ...] [options] [--opts] [KEY VALUE ...]",
        allow_abbrev=False,
    )
    parser.add_argument("--cfg", "--cfg_files", nargs="+", required=True, metavar="FILE", help="YAML, run one by one")
    parser.add_argument("--num_shards", type=int, metavar="N", help="machines in this run (overrides NUM_SHARDS)")
    parser.add_argument("--shard_id", type=int, metavar="I", help="number of this machine (overrides SHARD_ID)")
    parser.add_argument("--init_method", default="tcp://localhost:9999", metavar="URL", help="where machines meet")
    parser.add_argument("--dry_run", action="store_true", help="check everything, print the plan, write nothing")
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE", help="overrides")
    args, loose = parser.parse_known_args(argv)
    args.cfg, overrides = _split_files(args.cfg)
    unknown = [word for word in loose if word.startswith("--")]
    if unknown:
        parser.error(f"unknown option {unknown[0]}; see --help")
    args.opts = overrides + loose + args.opts
    return args


def _split_files(words):
    """argparse gives --cfg every following word: the files end where the first KEY begins."""
    is_file = [word.endswith((".yaml", ".yml", ".py")) or "/" in word for word in words]
    end = next((i for i in range(1, len(words)) if not is_file[i]), len(words))
    return words[:end], words[end:]


def main(argv=None):
    args = parse_args(argv)
    code = EXIT_DONE
    loaded = [load_cfg(path, args.opts, num_shards=args.num_shards, shard_id=args.shard_id) for path in args.cfg]
    for path, cfg in [(path, run) for path, whole in zip(args.cfg, loaded) for run in runs_of(whole)]:
        if args.dry_run:
            dry_run(cfg)
            continue
        jobs = [job for name, job in JOBS.items() if cfg[name].ENABLE]
        if not jobs:
            raise UserError(f"{path}: nothing to do, {', '.join(f'{name}.ENABLE' for name in JOBS)} are all False")
        for job in jobs:
            ended = launch(job, cfg, args.init_method)
            if ended == EXIT_PREEMPTED:
                return ended
            code = max(code, ended)
    return code


if __name__ == "__main__":
    code = run_command(main)
    ignore()
    sys.exit(code)
