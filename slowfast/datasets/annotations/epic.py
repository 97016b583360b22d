"""EPIC-KITCHENS-100 lists: `video,verb,noun`, or the official files with start and stop of each action."""

import csv
from dataclasses import dataclass

from slowfast.datasets.annotations.lines import Problems, numbered_lines, parse_class, read_table
from slowfast.utils.errors import UserError

_OFFICIAL = ("video_id", "start_timestamp", "stop_timestamp")  # and verb_class, noun_class, but for the test set
UNKNOWN = (-1, -1)  # label of an action of the test set
_SHORT = "one 'video,verb,noun' per line"


@dataclass(frozen=True)
class Action:
    """One action: video id or path, (verb, noun), and where it lies; the last three None for a file of its own.

    narration: the action's own id, "" where the list has none; label: UNKNOWN where the list has none.
    """

    video: str
    label: tuple
    span_s: tuple | None = None
    first_frame: int | None = None  # as the official frame folders count, from 1
    last_frame: int | None = None
    narration: str = ""


def read_epic_csv(path, num_verbs=None, num_nouns=None, *, skip_bad_lines=False, labelled=True):
    """list of Action of either format; which one, the first line tells.

    Args:
        num_verbs, num_nouns: labels must be below; None: unchecked.
        skip_bad_lines: leave out lines that do not fit, with a warning.
        labelled: False: an official file may lack the columns of the classes; labels are then UNKNOWN.
    Raises:
        UserError: a line that does not fit, by file and line.
    Source: github.com/epic-kitchens/epic-kitchens-100-annotations, README.
    """
    problems = Problems(path, skip_bad_lines)
    counts = (num_verbs, num_nouns)
    first = numbered_lines(path, _SHORT)[0][1]
    official = "start_timestamp" in first
    known = not official or labelled or "verb_class" in first
    rows = _official_rows(path, known) if official else _short_rows(path)
    actions = []
    for number, video, texts, place in rows:
        if not known:
            actions.append(Action(video, UNKNOWN, **_parse_place(place)))
            continue
        labels = [
            parse_class(text, count, None, what, f"{what}s of MODEL.HEAD_CLASSES:")
            for text, count, what in zip(texts, counts, ("verb", "noun"))
        ]
        wrong = next((problem for _, problem in labels if problem), None)
        if not video or len(texts) != 2:
            problems.add(number, f"expected {_SHORT}, got {','.join([video, *texts])!r}")
        elif wrong:
            problems.add(number, wrong)
        else:
            try:
                actions.append(Action(video, tuple(label for label, _ in labels), **_parse_place(place)))
            except ValueError as error:
                problems.add(number, str(error))
    problems.settle(len(actions))
    if not actions:
        raise UserError(f"{path}: no action; expected {_SHORT}")
    return actions


def _short_rows(path):
    lines = numbered_lines(path, _SHORT)
    rows = [next(csv.reader([line], skipinitialspace=True)) for _, line in lines]
    if len(rows) > 1 and not any(field.strip().isdigit() for field in rows[0]):
        lines, rows = lines[1:], rows[1:]  # a header
    for (number, _), row in zip(lines, rows):
        video, *texts = [field.strip() for field in row]
        yield number, video, texts, None


def _official_rows(path, known):
    classes = ("verb_class", "noun_class") if known else ()
    for number, row in read_table(path, (*_OFFICIAL, *classes)):
        yield number, row["video_id"], [row[name] for name in classes], row


def _parse_place(row):
    """Arguments of Action for an official row. Raises: ValueError saying what does not fit."""
    if row is None:
        return {}
    start, stop = seconds(row["start_timestamp"]), seconds(row["stop_timestamp"])
    if stop <= start:
        raise ValueError(f"stop_timestamp {row['stop_timestamp']} is not after {row['start_timestamp']}")
    place = {"span_s": (start, stop), "narration": row.get("narration_id", "")}
    if row.get("start_frame") and row.get("stop_frame"):
        place |= {"first_frame": int(row["start_frame"]), "last_frame": int(row["stop_frame"])}
    return place


def seconds(text):
    """Seconds of "HH:MM:SS.ss". Raises: ValueError."""
    parts = text.split(":")
    try:
        hours, minutes, rest = int(parts[0]), int(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        raise ValueError(f"time {text!r} is not HH:MM:SS.ss") from None
    if len(parts) != 3:
        raise ValueError(f"time {text!r} is not HH:MM:SS.ss")
    return 3600 * hours + 60 * minutes + rest


def read_ids(path, column):
    """Set of the texts in one column of a list of tail classes or participants. Raises: UserError."""
    return {row[column] for _, row in read_table(path, (column,))}
