"""Lists of the lines that are well, in Kinetics' format."""

from pathlib import Path

_SEPARATORS = (" ", ",", "\t")


def cleaned_list(records, separator=None):
    """(text of the list, with absolute paths, or None where the records do not fit into one; what it lacks, or "").

    Args:
        records: of one split, all of them well.
        separator: between the fields; None: one that no path contains. Labels of two heads, (verb, noun), stand in two
            columns, after commas.
    """
    labelled = [record for record in records if record.label is not None]
    if any(map(_has_more, labelled)) or (records and not labelled):
        return None, "not written, its lines do not fit `path label`"
    listed = [record for record in labelled if _is_text(record.path)]
    lost = len(labelled) - len(listed)
    note = f"lacks {lost} videos whose names are not UTF-8; rename them" if lost else ""
    if separator is None:
        separator = next((s for s in _SEPARATORS if not any(s in record.path for record in listed)), ",")
    return "".join(_line(record, separator) for record in listed), note


def _line(record, separator):
    path = str(Path(record.path).absolute())
    labels = record.label if isinstance(record.label, tuple) else (record.label,)
    between = "," if isinstance(record.label, tuple) else separator
    return between.join([_quote(path, between), *map(str, labels)]) + "\n"


def _has_more(record):
    """Does a line of path and label not tell all of a record?"""
    return record.frames is not None or record.span_s or isinstance(record.label, list)


def _is_text(path):
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quote(path, separator):
    if separator in path or any(c in path for c in '"\r\n') or path != path.strip():
        return '"' + path.replace('"', '""') + '"'
    return path
