"""Counts over a set, worked out by hand, and histograms against numpy's."""

import numpy as np
import pytest

from slowfast.datasets.annotations import Record
from slowfast.datasets.scan.summary import (
    class_name,
    class_notes,
    count_classes,
    count_splits,
    histogram,
    most_common,
)
from slowfast.datasets.scan.verdicts import Verdict


def verdict(path, split, label, status="ok", **fields):
    return Verdict(Record(0, path, label), split, status, [], 10, 5.0, 4, 3, 2.0, 100, **fields)


VERDICTS = [
    verdict("a", "train", 0),
    verdict("a", "train", 0, "duplicate"),
    verdict("b", "train", 2, "partial", leak="val"),
    verdict("c", "train", 9, label_problem="label 9 is out of range"),
    verdict("b", "val", 2),
    verdict("d", "val", 1),
]


def test_splits():
    train = count_splits(VERDICTS)["train"]
    expected = {"lines": 4, "well": 1, "ok": 2, "duplicate": 1, "partial": 1, "missing": 0, "wrong_labels": 1}
    expected |= {"leaks": 1, "classes": 2, "seconds": 8.0, "bytes": 300}
    assert expected.items() <= train.items()


def test_classes():
    """Lines, and lines that are well, by class and split; class 3 has none."""
    assert count_classes(VERDICTS, num_classes=4) == {
        0: {"train": (2, 1), "val": (0, 0)},
        1: {"train": (0, 0), "val": (1, 1)},
        2: {"train": (1, 0), "val": (1, 1)},
        3: {"train": (0, 0), "val": (0, 0)},
        9: {"train": (1, 0), "val": (0, 0)},
    }


def test_classes_of_other_labels():
    labels = [(3, 7), [1, 2], [(2, 0.0, 1.0), (2, 3.0, 4.0)], None, []]
    classes = count_classes([verdict("a", "train", label) for label in labels[:1]])
    assert list(classes) == [(0, 3), (1, 7)]
    assert list(count_classes([verdict("a", "train", (3, 7))], num_classes=5)) == [(0, 3), (1, 7)]
    classes = count_classes([verdict("a", "train", label) for label in labels[1:]])
    assert {number: row["train"][0] for number, row in classes.items()} == {1: 1, 2: 2, None: 1}


def test_class_notes():
    notes = class_notes(count_classes(VERDICTS[:3] + VERDICTS[4:], num_classes=4), {1: "jump", 3: "run"})
    assert notes[0].startswith("1 class (jump) tested on")
    assert notes[1].startswith("1 class (run) without")
    many = [verdict(str(n), "train", 0) for n in range(40)] + [verdict("x", "train", 1)]
    assert class_notes(count_classes(many)) == ["the largest class has 40 training videos, the smallest 1"]
    assert class_notes({}) == []


def test_class_names():
    assert [class_name(n, {0: "jump"}) for n in (0, 1, (1, 3), None)] == ["jump", "1", "noun 3", "no class"]


@pytest.mark.parametrize("scale", [0.001, 1, 1000])
def test_histogram(scale):
    values = scale * np.random.default_rng(0).uniform(1, 10, 500)
    edges, counts = histogram(values)
    assert counts.sum() == 500
    assert np.array_equal(counts, np.histogram(values, edges)[0])
    assert 10 <= len(counts) <= 26


def test_histogram_with_stragglers():
    """Few values far away do not squeeze the others into one bin."""
    edges, counts = histogram([*np.linspace(1, 10, 999), 5000.0])
    assert edges[-1] == np.inf
    assert edges[-2] <= 15
    assert counts.sum() == 1000
    assert counts[-1] == 1


@pytest.mark.parametrize("values", [[5], [5, 5, 5], [0.04], [1, 2]])
def test_histogram_of_few_values(values):
    edges, counts = histogram(values)
    assert counts.sum() == len(values)
    assert len(edges) == len(counts) + 1


def test_most_common():
    values = [30] * 5 + [25] * 3 + [15] * 2 + [12]
    assert most_common(values) == [(12, 1), (15, 2), (25, 3), (30, 5)]
    assert most_common(values, limit=2) == [(25, 3), (30, 5), (None, 3)]
    assert most_common([]) == []
