"""Lists in Kinetics' format: a path and a label a line, separated by spaces, commas or tabs."""

from pathlib import Path

from slowfast.datasets.annotations.lines import Problems, is_whole_number, numbered_lines, parse_class
from slowfast.datasets.annotations.record import Record

SEPARATORS = ("\t", ",", " ")  # in the order in which "auto" tries them
_NAMES = {"\t": "tab", ",": "comma", " ": "space"}
_LABEL_COLUMNS = frozenset("label labels class class_id label_id class_index target category action".split())
_ROWS_TO_LOOK_AT = 8


def read_kinetics_csv(
    path, prefix="", separator="auto", num_classes=None, *, skip_bad_lines=False, class_ids=None, locate=None
):
    """Records of a list with one `path<sep>label` or `path<sep>frames<sep>label` per line, with or without a header.

    A path may contain the separator, since the label is what follows the last one; the column of frame numbers is
    taken for one only if every line has it. A field may stand in double quotes, and then hold line breaks.

    Args:
        path: the list.
        prefix: folder that relative paths start from. "" = the list's folder if its first rows exist there, else the
            working directory.
        separator: " ", "," or tab; "auto" takes the one that gives every line a label.
        num_classes: labels must be below; None = unchecked.
        skip_bad_lines: leave out lines that do not fit, with a warning.
        class_ids: dict class name -> number, for labels that are spelt out.
        locate: function (path of a line) -> path to read, instead of `prefix`.
    Raises:
        UserError: a line that does not fit, by file and line; a label out of range; no line at all.
    Source: the list format of PySlowFast's Kinetics data set.
    """
    lines = numbered_lines(path, "one 'path label' per line")
    chosen = _find_separator(lines, class_ids) if separator == "auto" else separator
    rows = [(number, line, *_split(line, chosen)) for number, line in lines]
    if len(rows) > 1 and _is_header(rows[0][1], chosen):
        del rows[0]
    problems, good = Problems(path, skip_bad_lines), []
    for number, line, name, text in rows:
        label, problem = _parse(line, name, text, chosen, num_classes, class_ids)
        if problem:
            problems.add(number, problem)
        else:
            good.append((name, label))
    problems.settle(len(good))
    videos = _drop_frame_counts([name for name, _ in good], chosen)
    if locate is None:
        folder = Path(prefix) if prefix else base_folder(Path(path), videos)
        locate = folder.joinpath
    return [Record(row, str(locate(name)), label) for row, (name, (_, label)) in enumerate(zip(videos, good))]


def base_folder(list_path, names):
    """Where the relative paths of a list start without DATA.PATH_PREFIX."""
    first = names[:_ROWS_TO_LOOK_AT]
    return list_path.parent if any(is_there(list_path.parent / name) for name in first) else Path()


def is_there(path):
    """Does a path lead to something? `pack.h5/key` does if the pack is a file; no pack is opened."""
    return path.exists() or any(parent.is_file() for parent in path.parents)


def _find_separator(lines, class_ids):
    """The first separator that gives every line a label; failing that, the one that gives most of them one."""

    def fits(separator):
        labels = (_split(line, separator)[1] for _, line in lines)
        return sum(is_whole_number(label) or bool(class_ids and label in class_ids) for label in labels)

    return max(SEPARATORS, key=fits)


def _split(line, separator):
    """(everything before the last separator, what follows it), without quotes."""
    name, _, label = line.rpartition(separator)
    return _unquote(name), _unquote(label)


def _unquote(field):
    field = field.strip()
    quoted = len(field) > 1 and field[0] == field[-1] == '"'
    return field[1:-1].replace('""', '"') if quoted else field


def _is_header(line, separator):
    """Plain words, the last of which names the column of labels."""
    words = [_unquote(field).lower() for field in line.split(separator)]
    return words[-1] in _LABEL_COLUMNS and all(word.replace("_", "").replace(" ", "").isalnum() for word in words)


def _parse(line, name, text, separator, num_classes, class_ids):
    """(label, None) of a line, or (None, what is wrong with it)."""
    if not name or not (is_whole_number(text) or (class_ids and text in class_ids)):
        return None, (
            f"got {line!r}, expected a path, a {_NAMES.get(separator, repr(separator))} and a whole number as label. "
            "If other characters stand between them, set DATA.PATH_LABEL_SEPARATOR"
        )
    return parse_class(text, num_classes, class_ids)


def _drop_frame_counts(names, separator):
    """Paths without the column of frame numbers, if every row has one."""
    split = [_split(name, separator) for name in names]
    if all(name and is_whole_number(frames) for name, frames in split):
        return [name for name, _ in split]
    return names
