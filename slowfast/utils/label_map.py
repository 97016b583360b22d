"""Files that name the classes: one name a line, a table `id,name`, or JSON `{"name": id}`; and lines of aliases."""

import csv
import json
import re
from difflib import get_close_matches
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


def plain(name):
    """A class name as it is compared: no capitals, quotes, underscores or doubled spaces."""
    return re.sub(r"[\s_]+", " ", name.replace('"', "").replace("'", "")).strip().casefold()


def read_classes(path):
    """Names of a label file in the order of their numbers, which must be 0, 1, ... without gaps.

    Raises: UserError: unreadable, doubled names, missing numbers.
    """
    names = read_label_map(path)
    if list(names) != list(range(len(names))):
        gap = next(number for number in range(len(names)) if number not in names)
        raise UserError(f"{path}: class {gap} is missing; numbers must go from 0 to {len(names) - 1}")
    first = {}
    for number, name in names.items():
        if plain(name) in first:
            raise UserError(f"{path}: {name!r} stands for class {first[plain(name)]} and for class {number}")
        first[plain(name)] = number
    return list(names.values())


def read_aliases(path, sides):
    """dict plain name -> its plain alias, "" where the line leaves it empty.

    Args:
        path: lines `name,alias`; "#" opens a comment.
        sides: {whose names the first are: these names, whose the second are: these names}, for check and message.
    Raises: UserError: a line that is no pair, an unknown name, a name that comes twice.
    """
    here, there = sides
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    known = {whose: {plain(name) for name in names} for whose, names in sides.items()}
    aliases = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        row = [plain(field) for field in next(csv.reader([line], skipinitialspace=True))]
        if len(row) != 2:
            raise UserError(f"{path}:{number}: got {line!r}, expected 'name of {here},name of {there}'")
        for name, whose in zip(row, sides):
            if name not in known[whose] and (name or whose == here):
                raise UserError(f"{path}:{number}: {name!r} is no class of {whose}{nearest(name, known[whose])}")
        if row[0] in aliases:
            raise UserError(f"{path}:{number}: {row[0]!r} has an alias already")
        aliases[row[0]] = row[1]
    return aliases


def nearest(name, known):
    """ " (nearest: 'x')" for the known name that looks most like `name`, "" where none does."""
    close = get_close_matches(name, list(known), n=1)
    return f" (nearest: {close[0]!r})" if close else ""


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
