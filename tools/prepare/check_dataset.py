#!/usr/bin/env python
"""Look at every video of a data set before training does: what is broken, listed twice, or labelled out of range."""

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

from tqdm import tqdm

from slowfast.config import load_cfg
from slowfast.datasets.readers import READERS
from slowfast.datasets.scan import sources
from slowfast.datasets.scan.journal import Journal
from slowfast.datasets.scan.page import LABEL, NAMES
from slowfast.datasets.scan.probe import OK
from slowfast.datasets.scan.report import make_report, write_report
from slowfast.datasets.scan.scan import ScanOptions, distinct_videos, hash_all, look_at_all, same_size
from slowfast.datasets.scan.verdicts import STATUSES, judge, printable
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, UserError
from slowfast.utils.logging import get_logger

JOURNAL = "scan.jsonl"
SHOWN = 10  # problems that the terminal shows
NEWS_SECONDS = 30  # between two lines of progress where there is no terminal
EPILOG = f"""Writes report.html, report.json and a list of the good lines of each split to --out. Nothing else is
touched. Run again, it looks only at files that changed since ({JOURNAL} in --out remembers). Exit code 0: all is
well; 1: something is not; 2: wrong usage."""


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        usage="%(prog)s (--cfg FILE [KEY VALUE ...] | --csv FILE [FILE ...] | --folder DIR) --out DIR [options]",
        allow_abbrev=False,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cfg", nargs="+", metavar="FILE", help="YAML, then KEY VALUE overrides: all its splits")
    source.add_argument("--csv", nargs="+", metavar="FILE", help="lists of `path label`, each a split")
    source.add_argument("--folder", metavar="DIR", help="one folder a class, or train, val, test with such folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the report goes")
    parser.add_argument("--root", default="", metavar="DIR", help="with --csv: where relative paths start")
    parser.add_argument("--num_classes", type=int, metavar="N", help="with --csv: labels must be below")
    parser.add_argument("--class_names", metavar="FILE", help="with --csv: a name a line, or `number,name`")
    parser.add_argument("--reader", choices=("auto", *READERS), help="DATA.READER, with --csv and --folder")
    parser.add_argument("--min_frames", type=int, metavar="N", help="fewer are too short (2; with --cfg NUM_FRAMES)")
    parser.add_argument("--full", action="store_true", help="decode every frame, not only three of each video")
    parser.add_argument("--workers", type=int, default=_processors(), metavar="N", help="processes (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, metavar="S", help="seconds a file, more if large (60)")
    parser.add_argument("--memory", type=int, default=2048, metavar="MIB", help="a file may take (%(default)s)")
    args, loose = parser.parse_known_args(argv)
    _check(parser, args, loose)
    args.opts = (args.cfg or [])[1:] + loose
    return args


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _check(parser, args, loose):
    unknown = [word for word in loose if word.startswith("--")]
    if unknown or (loose and not args.cfg):
        parser.error(f"unknown option {(unknown or loose)[0]}; see --help")
    for name in ("workers", "timeout", "memory", "min_frames", "num_classes"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f"--{name} is {value}; it must be above 0")
    for name in ("root", "num_classes", "class_names"):
        if getattr(args, name) and not args.csv:
            parser.error(f"--{name} goes with --csv")
    if args.reader and args.cfg:
        parser.error("--reader goes with --csv and --folder; with --cfg, say DATA.READER")


def main(argv=None):
    args = parse_args(argv)
    start = time.monotonic()
    source = read_source(args)
    options = ScanOptions(source.reader, args.full, args.workers, args.timeout, args.memory)
    check_out(args.out, source.splits)
    with Journal(args.out / JOURNAL, options.judged_by()) as journal:
        findings, hashes = scan(source.splits, options, journal)
    verdicts = judge(source.splits, findings, hashes, min_frames=source.min_frames, num_classes=source.num_classes)
    report = make_report(verdicts, source, options)
    write_report(args.out, verdicts, report, source)
    print_summary(verdicts, report, args.out, time.monotonic() - start)
    return EXIT_DONE if report["ok"] else EXIT_LOST


def read_source(args):
    """The Source that the command line names."""
    if args.cfg:
        source = sources.from_cfg(load_cfg(args.cfg[0], args.opts))
    elif args.csv:
        source = sources.from_csv(args.csv, args.root, num_classes=args.num_classes, class_names=args.class_names)
    else:
        source = sources.from_folder(args.folder)
    source.reader = args.reader or source.reader
    source.min_frames = args.min_frames or source.min_frames
    return source


def check_out(out, splits):
    """Refuse to write over files that no earlier check has left. Raises: UserError."""
    names = ("report.json", "report.html", *(f"{split}.csv" for split in splits))
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: a file, expected a folder; choose another")
    found = [name for name in names if (out / name).exists()]
    if found and not (out / JOURNAL).exists():
        raise UserError(f"--out {out}: holds {found[0]}, which is not of an earlier check; choose another folder")


def scan(splits, options, journal):
    """(dict Video -> Finding, dict Video -> SHA-256) of all videos of all splits."""
    videos = distinct_videos(record for records in splits.values() for record in records)
    findings = dict(watched(look_at_all(videos, options, journal), len(videos), "videos"))
    copies = same_size(findings)
    return findings, dict(watched(hash_all(copies, findings, options, journal), len(copies), "comparing"))


def watched(results, total, what):
    """The results, with a bar on a terminal, and a line now and then elsewhere."""
    start = news = time.monotonic()
    with tqdm(results, total=total, desc=what, unit="file", disable=not sys.stderr.isatty(), leave=False) as bar:
        for done, result in enumerate(bar, start=1):
            yield result
            now = time.monotonic()
            if bar.disable and now - news > NEWS_SECONDS:
                news = now
                left = (now - start) / done * (total - done) / 60
                get_logger().info(f"{what}: {done:,} of {total:,}, about {left:.0f} min left")


def print_summary(verdicts, report, out, seconds):
    for split, numbers in report["splits"].items():
        kinds = [f"{numbers[status]:,} {NAMES[status]}" for status in STATUSES if numbers[status]]
        more = [f"{numbers[key]:,} {what}" for key, what in (("wrong_labels", NAMES["label"]), ("leaks", "leaks"))]
        print(f"{split}: {numbers['lines']:,} lines: {', '.join(kinds + [text for text in more if text[:2] != '0 '])}")
    wrong = [verdict for verdict in verdicts if not verdict.is_well]
    for verdict in wrong[:SHOWN]:
        row = verdict.as_dict()
        kind = NAMES[LABEL if row["status"] == OK else row["status"]]
        print(f"  {printable(row['path'])}: {kind}: {row['reason']}")
    if len(wrong) > SHOWN:
        print(f"  and {len(wrong) - SHOWN:,} more")
    for note in report["notes"]:
        print(f"note: {note}")
    print(f"{seconds:.0f} s. Report: {out / 'report.html'}")


if __name__ == "__main__":
    code = run_command(main)
    sys.stdout.flush()
    if multiprocessing.active_children():  # stuck inside the operating system: at exit, they would be waited for
        os._exit(code)
    sys.exit(code)
