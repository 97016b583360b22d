#!/usr/bin/env python
"""Submit a run, or a sweep of runs, to SLURM, and look after the job: python tools/slurm/submit.py --cfg FILE ...

The configuration is checked first. The job goes back into the queue when it is preempted, reaches its time limit or
loses a node, and goes on from the last step saved.
"""

import argparse
import sys

from slowfast.slurm import jobs, scheduler, submission
from slowfast.slurm.submission import Request, as_shell
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE


def parse_args(argv):
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage="%(prog)s --cfg FILE [options] [KEY VALUE ...]\n       %(prog)s --status|--tail|--cancel JOB",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--cfg", metavar="FILE", help="YAML of the run")
    what.add_argument("--status", metavar="JOB", help="state of a job or of all tasks of an array (12, 12_3)")
    what.add_argument("--tail", metavar="JOB", help="the last lines of its log")
    what.add_argument("--cancel", metavar="JOB", help="end it; what is saved stays")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="machines (NUM_SHARDS), default 1")
    parser.add_argument(
        "--gpus_per_node", type=int, metavar="G", help="NUM_GPUS, default as in the YAML; 0: CPUs, NUM_PROCS processes"
    )
    parser.add_argument("--time", default="", metavar="T", help="limit: minutes, h:m:s or days-h:m:s")
    parser.add_argument("--partition", default="", metavar="P", help="default: the cluster's own")
    parser.add_argument("--array", default="", metavar="SWEEP", help="YAML of runs, one task of a job array each")
    parser.add_argument(
        "--cpus_per_task", type=int, default=0, metavar="C", help="default: DATA_LOADER.NUM_WORKERS + 1"
    )
    parser.add_argument(
        "--sbatch", action="append", default=[], metavar="OPTION", help="further option: --sbatch=--account=lab"
    )
    parser.add_argument("--dry_run", action="store_true", help="check, print the sbatch command, submit nothing")
    args, args.opts = parser.parse_known_args(argv)
    unknown = [word for word in args.opts if word.startswith("--")]
    if unknown:
        parser.error(f"unknown option {unknown[0]}; see --help")
    if not args.cfg and args.opts:
        parser.error(f"{args.opts[0]}: KEY VALUE pairs go with --cfg")
    if args.nodes < 1 or args.cpus_per_task < 0 or (args.gpus_per_node or 0) < 0:
        parser.error("--nodes must be 1 or more, --gpus_per_node and --cpus_per_task 0 or more")
    return args


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = parse_args(argv)
    for name, look in (("status", jobs.status), ("tail", jobs.tail), ("cancel", jobs.cancel)):
        if getattr(args, name):
            print(look(getattr(args, name)))
            return EXIT_DONE
    request = Request(
        *(args.cfg, tuple(args.opts), args.nodes, args.gpus_per_node, args.time, args.partition, args.array),
        *(args.cpus_per_task, tuple(args.sbatch)),
    )
    planned = submission.plan(request, None if args.dry_run else scheduler.partitions())
    if args.dry_run:
        print(f"{planned.summary}\n{as_shell(['sbatch', *planned.words])}")
        for number, (words, _) in enumerate(planned.runs):
            print(f"run {number}: {as_shell(words)}")
        return EXIT_DONE
    job = submission.submit(planned)
    print(f"job {job} submitted: {planned.summary}")
    print(f"log     {planned.log_of(job)}")
    print(f"run     {planned.folder}")
    print(f"status  python tools/slurm/submit.py --status {job}")
    print(f"resume  {as_shell(['python', 'tools/slurm/submit.py', *argv])}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
