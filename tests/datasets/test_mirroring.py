"""Classes of mirrored clips, from their names."""

import pytest

from slowfast.datasets.mirroring import mirrored_classes, read_mirrored_classes
from slowfast.utils.errors import ConfigError

NAMES = {
    0: "Holding something",
    3: "Pulling something from left to right",
    4: "Pulling something from right to left",
    7: "Turning the camera left while filming something",
    8: "Leftovers of a bright thing",
}


def test_words_are_exchanged():
    """Not the syllables of other words; what has no mirror image says so."""
    assert mirrored_classes(NAMES) == {3: 4, 4: 3, 7: None}


def test_of_a_file(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("Go Left\nstop\ngo right\n")
    assert read_mirrored_classes(path) == {0: 2, 2: 0}
    path.write_text("jump\nrun\n")
    with pytest.raises(ConfigError, match=r"DATA\.FLIP_SWAPS_LABELS: got True, but no class of .* says left or right"):
        read_mirrored_classes(path)
    with pytest.raises(ConfigError, match=r"DATA\.FLIP_SWAPS_LABELS: got True, but nothing names.*CLASS_NAMES_PATH"):
        read_mirrored_classes(None)
