"""Something-Something's own files: JSON lists of videos with caption templates, and the templates' numbers."""

import json
from pathlib import Path

from slowfast.datasets.annotations.lines import Problems, parse_class, read_text
from slowfast.utils.errors import UserError

LABELS = ("something-something-v2-labels.json", "labels/labels.json", "labels.json")
LISTS = {
    "train": ("something-something-v2-train.json", "labels/train.json", "train.json"),
    "val": ("something-something-v2-validation.json", "labels/validation.json", "validation.json"),
}


def read_ssv2_json(list_path, labels_path, num_classes=None, *, skip_bad_lines=False):
    """[(video id as text, label)] of a JSON list.

    Args:
        list_path: list of objects with "id" and "template" (in which [brackets] mark what varies).
        labels_path: object, template without brackets -> number.
        num_classes: labels must be below; None: unchecked.
        skip_bad_lines: leave out entries that do not fit, with a warning.
    Raises:
        UserError: not such JSON; an entry that does not fit, by its number in the list (from 1).
    Source: the files as published with Something-Something V2.
    """
    labels = _load(labels_path, dict, "an object template -> number")
    entries = _load(list_path, list, "a list of objects with 'id' and 'template'")
    problems, rows = Problems(list_path, skip_bad_lines), []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not entry.get("id") or not isinstance(entry.get("template"), str):
            problems.add(number, f"entry {str(entry)[:80]} has no 'id' and 'template'")
            continue
        template = entry["template"].replace("[", "").replace("]", "")
        if template not in labels:
            problems.add(number, f"template {template!r} is not in {labels_path}")
            continue
        label, problem = parse_class(str(labels[template]), num_classes)
        if problem:
            problems.add(number, problem)
        else:
            rows.append((str(entry["id"]), label))
    problems.settle(len(rows))
    if not rows:
        raise UserError(f"{list_path}: the list is empty; expected objects with 'id' and 'template'")
    return rows


def find_first(folder, names):
    """The first of the files that exists in the folder, or None."""
    return next((Path(folder) / name for name in names if (Path(folder) / name).is_file()), None)


def _load(path, kind, expected):
    try:
        data = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path}: not JSON: {error}") from None
    if not isinstance(data, kind):
        raise UserError(f"{path}: expected {expected}, got a {type(data).__name__}")
    return data
