"""Names of the classes, for tables and pictures."""

from slowfast.utils.errors import UserError


def read_class_names(path, num_classes):
    """One name a line, in the order of the labels.

    Args:
        path: DATA.CLASS_NAMES_PATH, a UTF-8 text file; "": the labels themselves stand for names.
        num_classes: MODEL.NUM_CLASSES.
    Returns:
        list of num_classes strings.
    Raises:
        UserError: the file cannot be read, or does not have a name on each of its first num_classes lines and no more.
    """
    if not path:
        return [str(label) for label in range(num_classes)]
    try:
        with open(path, encoding="utf-8-sig") as file:
            names = [line.strip() for line in file.read().rstrip().split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"DATA.CLASS_NAMES_PATH: cannot read {path}: {error}. Give a UTF-8 text file or ''") from None
    if len(names) != num_classes:
        raise UserError(
            f"DATA.CLASS_NAMES_PATH: {path} has {len(names)} lines, MODEL.NUM_CLASSES is {num_classes}. "
            "It needs one name a line, in the order of the labels"
        )
    if "" in names:
        raise UserError(
            f"DATA.CLASS_NAMES_PATH: line {names.index('') + 1} of {path} is empty; every class needs a name"
        )
    return names
