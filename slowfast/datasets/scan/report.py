"""Writes what a scan found: report.json, report.html and cleaned lists, beside each other."""

import json
import shlex
import sys
import time
from pathlib import Path

from slowfast.datasets.scan.cleaned import cleaned_list
from slowfast.datasets.scan.page import render_page
from slowfast.datasets.scan.summary import class_name, class_notes, count_classes, count_splits
from slowfast.utils.io import atomic_write
from slowfast.utils.provenance import versions


def make_report(verdicts, source, options):
    """dict of report.json: "ok", "files" (a row a line of a list), and what follows from them.

    Args:
        verdicts: list of Verdict.
        source: Source that they came from.
        options: ScanOptions.
    """
    classes = count_classes(verdicts, source.num_classes)
    in_range = count_classes([verdict for verdict in verdicts if not verdict.label_problem], source.num_classes)
    files = [verdict.as_dict() for verdict in verdicts]
    return {
        "ok": all(verdict.is_well for verdict in verdicts) and not source.warnings,
        "source": source.name,
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "options": {"full": options.full, "reader": options.reader, "min_frames": source.min_frames},
        "splits": count_splits(verdicts),
        "labels_out_of_range": [row for row, verdict in zip(files, verdicts) if verdict.label_problem],
        "leaks": [row for row, verdict in zip(files, verdicts) if verdict.leak],
        "lists": source.warnings,
        "notes": [*class_notes(in_range, source.names), *source.notes],
        "classes": [
            {
                "label": number,
                "name": class_name(number, source.names),
                "lines": {split: cell[0] for split, cell in row.items()},
                "well": {split: cell[1] for split, cell in row.items()},
            }
            for number, row in classes.items()
        ],
        "command": shlex.join(sys.argv),
        "cleaned": [],
        "versions": versions(),
        "files": files,
    }


def write_report(folder, verdicts, report, source):
    """Write report.json, report.html and a cleaned list a split; adds to the report what became of these.

    Args:
        folder: where to.
        verdicts, report, source: see `make_report`.
    """
    folder = Path(folder)
    for split in report["splits"]:
        kept = [verdict.record for verdict in verdicts if verdict.split == split and verdict.is_well]
        text, note = cleaned_list(kept, source.separator)
        if text is not None:
            _write(folder / f"{split}.csv", text)
            report["cleaned"].append(f"{split}.csv")
        if note:
            report["notes"].append(f"{split}.csv: {note}")
    head = {key: value for key, value in report.items() if key != "files"}
    rows = ",\n".join(json.dumps(row) for row in report["files"])
    _write(folder / "report.json", json.dumps(head, indent=1)[:-2] + ',\n "files": [\n' + rows + "\n]}\n")
    _write(folder / "report.html", render_page(verdicts, report, source.names))


def _write(path, text):
    atomic_write(path, lambda file: file.write(text.encode("utf-8", errors="surrogateescape")))
