"""Text files of a row a line: reading them, and what is said of lines that do not fit."""

import csv
import io
from pathlib import Path

from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger

SHOWN = 5  # skipped lines that a warning tells one by one


def read_text(path):
    """A text file in UTF-8, with or without a byte order mark. Raises: UserError: missing, unreadable or not text."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def numbered_lines(path, expected):
    """[(line number from 1, text)] of the lines that are not blank.

    A line that opens with a double quote goes on until that is closed, so a quoted path may hold a line break.

    Args:
        expected: what a line should look like, for the message.
    Raises: UserError: no line at all, or a quote that is never closed.
    """
    lines, opened = [], None
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.removesuffix("\r")
        if opened is not None:
            opened[1] += "\n" + line
        elif line.strip():
            opened = [number, line]
        if opened is not None and not (opened[1].lstrip().startswith('"') and opened[1].count('"') % 2):
            lines.append((opened[0], opened[1].strip()))
            opened = None
    if opened is not None:
        raise UserError(f"{path}:{opened[0]}: a double quote is opened and never closed; expected {expected}")
    if not lines:
        raise UserError(f"{path}: the list is empty; expected {expected}")
    return lines


def read_table(path, columns):
    """Rows of a comma-separated file with a header line, as (line number, dict column -> text).

    Args:
        columns: names that must be in the header, for the message and the check.
    Raises: UserError: a column that is missing, or no row.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), skipinitialspace=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(
            f"{path}:1: the header has no column {', '.join(missing)}; expected {', '.join(columns)} among "
            f"its columns, got {', '.join(header) or 'nothing'}"
        )
    reader.fieldnames = header
    rows = []
    for row in reader:
        rows.append((reader.line_num, {name: (row.get(name) or "").strip() for name in header}))
    if not rows:
        raise UserError(f"{path}: no row follows the header")
    return rows


class Problems:
    """Lines of a list that do not fit: an error that names the first, or a counted warning where they may be skipped.

    Args:
        path: the list.
        skip: DATA.SKIP_BAD_LINES.
    """

    def __init__(self, path, skip=False):
        self.path = path
        self.skip = skip
        self.found = []

    def add(self, number, text):
        self.found.append(f"{self.path}:{number}: {text}")

    def settle(self, rows_left):
        """Raises: UserError: something was found and may not be skipped, or nothing is left."""
        if not self.found:
            return
        if not self.skip or not rows_left:
            others = len(self.found) - 1
            more = f" ({others} more line{'s' if others > 1 else ''} of this file do not fit either)" if others else ""
            raise UserError(self.found[0] + more)
        for text in self.found[:SHOWN]:
            get_logger().warning(f"skipped: {text}")
        get_logger().warning(f"{self.path}: {len(self.found)} line(s) skipped, as DATA.SKIP_BAD_LINES says")


def parse_class(text, num_classes=None, class_ids=None, what="label", key="MODEL.NUM_CLASSES"):
    """(class number, None) of a label's text, or (None, what is wrong with it).

    Args:
        num_classes: labels must be below; None: unchecked.
        class_ids: dict class name -> number, for lists that spell their labels out; None: numbers only.
        key: where num_classes comes from, for the message.
    """
    if class_ids and text in class_ids:
        text = str(class_ids[text])
    if not is_whole_number(text):
        names = " or one of the class names of DATA.CLASS_NAMES_PATH" if class_ids else ""
        return None, f"{what} {text!r} is no whole number{names}"
    number = int(text)
    if number < 0 or (num_classes is not None and number >= num_classes):
        allowed = "at least 0" if num_classes is None else f"0 to {num_classes - 1} ({key} {num_classes})"
        return None, f"{what} {number} is out of range, expected {allowed}"
    return number, None


def is_whole_number(text):
    return text.isascii() and text.removeprefix("-").isdigit()
