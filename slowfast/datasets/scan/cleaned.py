"""Lists of the lines that are well, in Kinetics' format, or in EPIC-KITCHENS' where lines are pieces of videos."""

import csv
import io
from pathlib import Path

_SEPARATORS = (" ", ",", "\t")
_EPIC_COLUMNS = "video_id start_timestamp stop_timestamp start_frame stop_frame verb_class noun_class".split()


def cleaned_list(records, separator=None):
    """(text of the list, with absolute paths, or None where the records do not fit into one; what it lacks, or "").

    Args:
        records: of one split, all of them well.
        separator: between the fields; None: one that no path contains. Labels of two heads, (verb, noun), stand in two
            columns, after commas.
    """
    labelled = [record for record in records if record.label is not None]
    if labelled and all(map(_is_epic, labelled)):
        return _epic_list(labelled), ""
    if any(map(_has_more, labelled)) or (records and not labelled):
        return None, "not written, its lines do not fit `path label`"
    listed = [record for record in labelled if _is_text(record.path)]
    lost = len(labelled) - len(listed)
    note = f"lacks {lost} videos whose names are not UTF-8; rename them" if lost else ""
    if separator is None:
        separator = next((s for s in _SEPARATORS if not any(s in record.path for record in listed)), ",")
    return "".join(_line(record, separator) for record in listed), note


def _is_epic(record):
    """A piece of a video with a verb and a noun?"""
    return record.span_s and isinstance(record.label, tuple) and len(record.label) == 2


def _epic_list(records):
    """Text with the columns of EPIC-KITCHENS-100's own files that are read, paths in the place of video ids."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_EPIC_COLUMNS)
    for record in records:
        frames = (record.span_frames[0] + 1, record.span_frames[1]) if record.span_frames else ("", "")
        times = map(_timestamp, record.span_s)
        writer.writerow([str(Path(record.path).absolute()), *times, *frames, *record.label])
    return text.getvalue()


def _timestamp(seconds):
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes // 60):02d}:{int(minutes % 60):02d}:{rest:09.6f}"


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
