"""Names of the classes, for tables and pictures."""

from pathlib import Path

from slowfast.utils.errors import UserError
from slowfast.utils.label_map import read_label_map


def class_names_of(dataset, path, folder, num_classes):
    """Names of a data set's classes: of DATA.CLASS_NAMES_PATH, else its own, else of classes.txt beside its lists.

    Args: path, folder, num_classes: as the two functions below take them. Raises: UserError, as they do.
    """
    own = getattr(dataset, "class_names", None)
    return own if own and not path else read_class_names(find_class_names(path, folder), num_classes)


def find_class_names(path, folder):
    """DATA.CLASS_NAMES_PATH where it is set, else the lists' own classes.txt, else "".

    Args:
        path: DATA.CLASS_NAMES_PATH.
        folder: DATA.PATH_TO_DATA_DIR.
    """
    beside = Path(folder) / "classes.txt"
    return path or (str(beside) if folder and beside.is_file() else "")


def read_class_names(path, num_classes):
    """Names of the classes in the order of the labels.

    Args:
        path: DATA.CLASS_NAMES_PATH, a file as `read_label_map` takes it; "": the labels themselves stand for names.
        num_classes: MODEL.NUM_CLASSES.
    Returns:
        list of num_classes strings.
    Raises:
        UserError: the file cannot be read, or does not name each of the classes 0 to num_classes - 1 and no more.
    """
    if not path:
        return [str(label) for label in range(num_classes)]
    try:
        names = read_label_map(path)
    except UserError as error:
        raise UserError(f"DATA.CLASS_NAMES_PATH: {error}") from None
    if len(names) != num_classes:
        raise UserError(
            f"DATA.CLASS_NAMES_PATH: {path} has {len(names)} lines, MODEL.NUM_CLASSES is {num_classes}. "
            "It needs one name a line, in the order of the labels"
        )
    missing = next((label for label in range(num_classes) if label not in names), None)
    if missing is not None:
        raise UserError(
            f"DATA.CLASS_NAMES_PATH: {path} has no name for class {missing}; its numbers must go from 0 to "
            f"{num_classes - 1}"
        )
    return list(names.values())
