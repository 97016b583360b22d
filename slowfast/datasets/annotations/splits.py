"""UCF101's and HMDB51's official splits: text files of clip names, and classes by name."""

from pathlib import Path

from slowfast.datasets.annotations.lines import Problems, numbered_lines
from slowfast.utils.errors import UserError
from slowfast.utils.label_map import read_label_map

_HMDB_MARKS = {"train": "1", "val": "2", "test": "2"}  # 0: in neither


def read_ucf101_split(folder, split, number, num_classes=None, *, skip_bad_lines=False):
    """[(path "Class/clip.avi", label from 0)] of trainlist0N.txt or, for "val" and "test", testlist0N.txt.

    Args:
        folder: holds the lists and classInd.txt ("1 ApplyEyeMakeup").
        number: DATA.SPLIT_NUMBER, 1 to 3.
        num_classes: classes that classInd.txt must not exceed; None: unchecked.
    Raises: UserError: a missing file, a line that does not fit, a class unknown or with another number.
    """
    path = Path(folder) / f"{'train' if split == 'train' else 'test'}list{number:02d}.txt"
    names = read_label_map(Path(folder) / "classInd.txt")
    lowest = min(names)
    labels = {name: class_number - lowest for class_number, name in names.items()}
    _check_count(path, len(labels), num_classes)
    problems, rows = Problems(path, skip_bad_lines), []
    for line_number, line in numbered_lines(path, "one 'Class/clip.avi label' per line, the label optional"):
        clip, _, label = line.rpartition(" ") if line.rpartition(" ")[2].isdigit() else (line, "", "")
        class_name = clip.split("/")[0]
        if "/" not in clip or class_name not in labels:
            problems.add(line_number, f"got {line!r}, expected 'Class/clip.avi' with a class of classInd.txt")
        elif label and int(label) - lowest != labels[class_name]:
            problems.add(line_number, f"label {label} is not {class_name}'s in classInd.txt")
        else:
            rows.append((clip.strip(), labels[class_name]))
    problems.settle(len(rows))
    return rows


def read_hmdb51_split(folder, split, number, num_classes=None, *, skip_bad_lines=False):
    """[(path "class/clip.avi", label)] from the files <class>_test_split<N>.txt; labels in alphabetical order.

    Args, Raises: as `read_ucf101_split`.
    """
    ending = f"_test_split{number}.txt"
    lists = sorted(Path(folder).glob(f"*{ending}"))
    if not lists:
        raise UserError(f"{folder}: no file '<class>{ending}' (DATA.SPLIT_NUMBER {number}); unpack test_train_splits")
    _check_count(folder, len(lists), num_classes)
    rows = []
    for label, path in enumerate(lists):
        class_name = path.name.removesuffix(ending)
        problems, before = Problems(path, skip_bad_lines), len(rows)
        for line_number, line in numbered_lines(path, "one 'clip.avi 0|1|2' per line"):
            clip, _, mark = line.rpartition(" ")
            if not clip or mark not in ("0", "1", "2"):
                problems.add(line_number, f"got {line!r}, expected 'clip.avi 0|1|2' (unused, training, test)")
            elif mark == _HMDB_MARKS[split]:
                rows.append((f"{class_name}/{clip.strip()}", label))
        problems.settle(len(rows) - before or 1)
    if not rows:
        raise UserError(f"{folder}: the files *{ending} name no {split} clip")
    return rows


def _check_count(path, found, num_classes):
    if num_classes is not None and found > num_classes:
        raise UserError(f"{path}: the list has {found} classes, MODEL.NUM_CLASSES is {num_classes}; set it to {found}")
