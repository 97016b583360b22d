"""Lists of videos: files of paths and labels -> records; no video is opened here."""

from dataclasses import dataclass
from pathlib import Path

from slowfast.utils.errors import UserError

SEPARATORS = ("\t", ",", " ")  # in the order in which "auto" tries them
_NAMES = {"\t": "tab", ",": "comma", " ": "space"}
_ROWS_TO_LOOK_AT = 8


@dataclass(frozen=True)
class Record:
    """One video of a split. video_id is its row in the list, from 0, blank lines not counted."""

    video_id: int
    path: str
    label: int


def read_kinetics_csv(path, prefix="", separator="auto", num_classes=None):
    """Records of a list with one `path<sep>label` or `path<sep>frames<sep>label` per line, without a header.

    A path may contain the separator, since the label is what follows the last one; the column of frame numbers is
    taken for one only if every line has it. A field may stand in double quotes.

    Args:
        path: the list.
        prefix: folder that relative paths start from. "" = the list's folder if its first rows exist there, else the
            working directory.
        separator: " ", "," or tab; "auto" takes the one that gives every line a label.
        num_classes: labels must be below; None = unchecked.
    Raises:
        UserError: a line that does not fit, by file and line; a label out of range; no line at all.
    Source: the list format of PySlowFast's Kinetics data set.
    """
    lines = _lines(path)
    chosen = _find_separator(lines) if separator == "auto" else separator
    rows = [_split(line, chosen) for _, line in lines]
    problems = [
        f"{path}:{number}: {problem}"
        for (number, line), row in zip(lines, rows)
        if (problem := _problem(line, row, chosen, num_classes))
    ]
    if problems:
        more = f" ({len(problems) - 1} more lines of this file do not fit either)" if len(problems) > 1 else ""
        raise UserError(problems[0] + more)
    videos = _drop_frame_counts([name for name, _ in rows], chosen)
    folder = Path(prefix) if prefix else _base_folder(Path(path), videos)
    return [
        Record(video_id, str(folder / name), int(label))
        for video_id, (name, (_, label)) in enumerate(zip(videos, rows))
    ]


def _lines(path):
    """[(line number from 1, text)] of the lines that are not blank."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines:
        raise UserError(f"{path}: the list is empty; expected one 'path label' per line")
    return lines


def _find_separator(lines):
    """The first separator that gives every line a label; failing that, the one that gives most of them one."""
    fits = {sep: sum(_is_label(_split(line, sep)[1]) for _, line in lines) for sep in SEPARATORS}
    return max(SEPARATORS, key=fits.get)


def _split(line, separator):
    """(everything before the last separator, what follows it), without quotes."""
    name, _, label = line.rpartition(separator)
    return _unquote(name), _unquote(label)


def _unquote(field):
    field = field.strip()
    return field[1:-1] if len(field) > 1 and field[0] == field[-1] == '"' else field


def _is_label(text):
    return text.isascii() and text.removeprefix("-").isdigit()


def _problem(line, row, separator, num_classes):
    """What is wrong with a line, or None."""
    name, label = row
    if not name or not _is_label(label):
        return (
            f"got {line!r}, expected a path, a {_NAMES.get(separator, repr(separator))} and a whole number as label. "
            "If other characters stand between them, set DATA.PATH_LABEL_SEPARATOR"
        )
    if int(label) < 0 or (num_classes is not None and int(label) >= num_classes):
        allowed = "at least 0" if num_classes is None else f"0 to {num_classes - 1} (MODEL.NUM_CLASSES {num_classes})"
        return f"label {label} is out of range, expected {allowed}"
    return None


def _drop_frame_counts(names, separator):
    """Paths without the column of frame numbers, if every row has one."""
    split = [_split(name, separator) for name in names]
    if all(name and _is_label(frames) for name, frames in split):
        return [name for name, _ in split]
    return names


def _base_folder(list_path, names):
    first = names[:_ROWS_TO_LOOK_AT]
    return list_path.parent if any((list_path.parent / name).exists() for name in first) else Path()
