"""Which class a mirrored clip shows, where names of classes say left and right."""

import re

from slowfast.utils.errors import ConfigError
from slowfast.utils.label_map import read_label_map

_OTHER = {"left": "right", "right": "left"}
_WORD = re.compile(r"\b(left|right)\b", re.IGNORECASE)


def mirrored_classes(names):
    """dict class -> class of its mirror image, of the classes whose names have the word left or right in them.

    Args:
        names: dict class -> name.
    Returns:
        None for a class whose mirror image has no name.
    """
    numbers = {name.lower(): number for number, name in names.items()}
    return {
        number: numbers.get(_WORD.sub(lambda match: _OTHER[match[0].lower()], name).lower())
        for number, name in names.items()
        if _WORD.search(name)
    }


def read_mirrored_classes(path):
    """`mirrored_classes` of a file of names, for DATA.FLIP_SWAPS_LABELS.

    Raises: ConfigError: no file ("" or None), or no name in it says left or right.
    """
    if not path:
        raise ConfigError(
            "DATA.FLIP_SWAPS_LABELS: got True, but nothing names the classes; set DATA.CLASS_NAMES_PATH, or it to False"
        )
    mirrored = mirrored_classes(read_label_map(path))
    if not mirrored:
        raise ConfigError(f"DATA.FLIP_SWAPS_LABELS: got True, but no class of {path} says left or right; set it False")
    return mirrored
