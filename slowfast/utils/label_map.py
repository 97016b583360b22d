"""Files that name the classes: one name a line, a table `id,name`, or JSON `{"name": id}`."""

import csv
import json
from pathlib import Path

from slowfast.utils.errors import UserError


def read_label_map(path):
    """dict class number -> name, in the order of the numbers.

    Args:
        path: UTF-8 text of one of three kinds. `.json`: an object name -> number, or number -> name. Lines
            `number,name` (also with a tab or space between, with or without a header): numbers as they stand, which may
            start at 1. Else one name a line, numbered from 0.
    Raises:
        UserError: the file cannot be read, an empty name, or a number that comes twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}. Give a UTF-8 text file of class names") from None
    if Path(path).suffix.lower() == ".json":
        pairs = _json_pairs(path, text)
    else:
        lines = [line.strip() for line in text.rstrip().split("\n")]
        pairs = _numbered(lines) or list(enumerate(lines))
    names = {}
    for number, name in pairs:
        if not name:
            raise UserError(f"line {number + 1} of {path} is empty; every class needs a name")
        if number in names:
            raise UserError(f"{path}: number {number} stands for both {names[number]!r} and {name!r}")
        names[number] = name
    return dict(sorted(names.items()))


def _json_pairs(path, text):
    try:
        entries = json.loads(text).items()
        return [(int(value), key) if _is_number(str(value)) else (int(key), str(value)) for key, value in entries]
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f'{path}: not a JSON object {{"name": number}}: {error}') from None


def _numbered(lines):
    """[(number, name)] if the lines are a table of both, else None."""
    for separator in (",", "\t", " "):
        rows = [(row[0].strip(), separator.join(row[1:]).strip()) for row in _split(lines, separator) if len(row) > 1]
        if len(rows) == len(lines):
            rows = rows[1:] if len(rows) > 1 and not _is_number(rows[0][0]) else rows
            if all(_is_number(number) for number, _ in rows):
                # EPIC-KITCHENS' class files have further columns behind the name (instances, category).
                return [(int(number), name) for number, name in rows]
    return None


def _split(lines, separator):
    if separator == ",":
        return [row[:2] for row in csv.reader(lines, skipinitialspace=True)]
    return [line.split(separator, 1) for line in lines]


def _is_number(text):
    return text.isascii() and text.isdigit()
