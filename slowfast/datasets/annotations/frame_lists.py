"""PySlowFast's frame lists (Something-Something, Charades): a line a picture, grouped into videos."""

from slowfast.datasets.annotations.lines import Problems, is_whole_number, numbered_lines

HEADER = "original_vido_id"  # spelt so in the published files
_EXPECTED = "a header 'original_vido_id video_id frame_id path labels', then one picture a line"


def is_frame_list(path):
    """Does the file start like a frame list?"""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.readline().lstrip('"').startswith(HEADER)


def read_frame_list(path, num_classes=None, *, skip_bad_lines=False):
    """dict video name -> (picture paths, labels of each picture), videos in the order of their first line.

    Labels are tuples of ints, empty where no class applies.

    Args:
        path: space-separated lines: video name, number of the video, number of the picture, path, labels (in quotes,
            with commas between, may be empty).
        num_classes: labels must be below; None: unchecked.
        skip_bad_lines: leave out lines that do not fit, with a warning.
    Raises:
        UserError: a line that does not fit, by file and line.
    Source: PySlowFast's frame lists.
    """
    problems, videos = Problems(path, skip_bad_lines), {}
    for number, line in numbered_lines(path, _EXPECTED):
        if line.lstrip('"').startswith(HEADER):
            continue
        fields = line.split()
        if len(fields) != 5:
            problems.add(number, f"got {len(fields)} fields in {line!r}, expected video, number, frame, path, labels")
            continue
        texts = [text for text in fields[4].strip('"').split(",") if text]
        wrong = [text for text in texts if not _is_class(text, num_classes)]
        if wrong:
            limit = "" if num_classes is None else f" below {num_classes} (MODEL.NUM_CLASSES)"
            problems.add(number, f"labels {fields[4]}: {wrong[0]!r} is no whole number from 0{limit}")
            continue
        frames, labels = videos.setdefault(fields[0], ([], []))
        frames.append(fields[3])
        labels.append(tuple(int(text) for text in texts))
    problems.settle(len(videos))
    return videos


def _is_class(text, num_classes):
    return is_whole_number(text) and 0 <= int(text) and (num_classes is None or int(text) < num_classes)
