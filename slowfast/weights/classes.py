"""Which row of a checkpoint's classifier each class of this run takes: from label files by name, or an index file."""

import json
import re
from pathlib import Path

from slowfast.utils.errors import UserError
from slowfast.utils.label_map import nearest, plain, read_aliases, read_classes
from slowfast.weights.load import NEW

SHOWN = 20  # names in an error


def class_rows(cfg):
    """(row of the checkpoint's classifier for each class, texts for the log); (None, []) where nothing is mapped.

    Raises: UserError naming key and file: classes that are doubled, unknown or without a counterpart.
    """
    weights = cfg.WEIGHTS
    if weights.CLASS_INDEX_PATH:
        if weights.CLASS_NAMES_PATH:
            raise UserError("WEIGHTS.CLASS_INDEX_PATH and WEIGHTS.CLASS_NAMES_PATH say the same; set one of them ''")
        rows = read_index(weights.CLASS_INDEX_PATH, cfg.MODEL.NUM_CLASSES)
        return rows, [_summary(rows, weights.CLASS_INDEX_PATH)]
    if not weights.CLASS_NAMES_PATH:
        if weights.CLASS_ALIASES_PATH:
            raise UserError("WEIGHTS.CLASS_ALIASES_PATH needs WEIGHTS.CLASS_NAMES_PATH, the checkpoint's classes")
        return None, []
    here = cfg.DATA.CLASS_NAMES_PATH or str(Path(cfg.DATA.PATH_TO_DATA_DIR) / "classes.txt")
    if not Path(here).exists():
        raise UserError(
            f"WEIGHTS.CLASS_NAMES_PATH names the checkpoint's classes, but those of this run are in no file: {here} is "
            "not there; set DATA.CLASS_NAMES_PATH"
        )
    wanted, stored = read_classes(here), read_classes(weights.CLASS_NAMES_PATH)
    if len(wanted) != cfg.MODEL.NUM_CLASSES:
        raise UserError(f"{here} names {len(wanted)} classes, MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}")
    aliases = (
        read_aliases(weights.CLASS_ALIASES_PATH, {"this run": wanted, "the checkpoint": stored})
        if weights.CLASS_ALIASES_PATH
        else {}
    )
    rows = rows_by_name(wanted, stored, aliases, where=weights.CLASS_NAMES_PATH)
    new = [name for name, row in zip(wanted, rows) if row == NEW]
    texts = [_summary(rows, weights.CLASS_NAMES_PATH)]
    return rows, texts + ([f"classes that start anew: {', '.join(new)}"] if new else [])


def rows_by_name(wanted, stored, aliases, *, where):
    """For each wanted name the number of its counterpart in `stored`, NEW where an alias says so.

    Raises: UserError listing the names without a counterpart.
    """
    numbers = {plain(name): number for number, name in enumerate(stored)}
    rows, unmapped = [], []
    for name in wanted:
        target = aliases.get(plain(name), plain(name))
        if target and target not in numbers:
            unmapped.append(f"{name!r}{nearest(plain(name), numbers)}")
        rows.append(numbers.get(target, NEW))
    if unmapped:
        more = f" and {len(unmapped) - SHOWN} more" if len(unmapped) > SHOWN else ""
        raise UserError(
            f"{len(unmapped)} of {len(wanted)} classes are not in {where}: {', '.join(unmapped[:SHOWN])}{more}. Say "
            "what they are called there in WEIGHTS.CLASS_ALIASES_PATH, a line 'name here,name there' each, or 'name "
            "here,' for a class that starts anew"
        )
    return rows


def read_index(path, num_classes):
    """Rows of an index file: whole numbers in the order of the classes, -1 for one that starts anew.

    Args: path: numbers apart by spaces, commas or lines, or a JSON list of them.
    Raises: UserError: no numbers, another count than `num_classes`, a row that comes twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        rows = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [int(word) for word in re.split(r"[\s,]+", text) if word]
        )
    except (OSError, ValueError) as error:
        raise UserError(f"WEIGHTS.CLASS_INDEX_PATH: {path} is no list of whole numbers: {error}") from None
    wrong = [row for row in rows if not isinstance(row, int) or isinstance(row, bool) or row < NEW]
    if wrong:
        raise UserError(f"WEIGHTS.CLASS_INDEX_PATH: {path} holds {wrong[0]!r}, expected whole numbers from 0, or -1")
    if len(rows) != num_classes:
        raise UserError(f"WEIGHTS.CLASS_INDEX_PATH: {path} has {len(rows)} numbers, MODEL.NUM_CLASSES is {num_classes}")
    taken = [row for row in rows if row != NEW]
    doubled = sorted({row for row in taken if taken.count(row) > 1})
    if doubled:
        raise UserError(f"WEIGHTS.CLASS_INDEX_PATH: {path} names row {doubled[0]} for several classes")
    return rows


def _summary(rows, path):
    taken = sum(row != NEW for row in rows)
    return f"{taken} of {len(rows)} classes take their row of the checkpoint's classifier, as {path} says"
