"""The confusion matrix as a picture: drawn at any size, with the numbers that it was given."""

import sys

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from slowfast.evaluation import plots
from slowfast.evaluation.plots import most_confused_pairs, plot_confusion_matrix


def confusions(num_classes, videos_per_class=20, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.poisson(0.4 * videos_per_class / num_classes, (num_classes, num_classes))
    return matrix + np.diag(rng.integers(1, videos_per_class, num_classes))


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, to look into."""
    figures, save = [], matplotlib.figure.Figure.savefig

    def remember(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", remember)
    return figures


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


@pytest.mark.parametrize("num_classes", [1, 30, 31, 400])
def test_a_readable_png_at_any_size(tmp_path, num_classes):
    path = tmp_path / "new" / "matrix.png"
    plot_confusion_matrix(confusions(num_classes), [f"class {i}" for i in range(num_classes)], path, "a title")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 400 < min(image.size) and max(image.size) < 4000
        assert np.asarray(image.convert("L")).std() > 5  # something is on it
    assert [p.name for p in path.parent.iterdir()] == ["matrix.png"]


def test_numbers_names_counts_and_accuracy_are_on_a_small_one(tmp_path, drawn):
    matrix = np.array([[3, 1, 0], [0, 0, 0], [1, 398, 1]])
    plot_confusion_matrix(matrix, ["walk", "$a$ b_c $d$", "run"], tmp_path / "m.png", "XViT")
    found = texts(drawn[0])
    assert "XViT\ntop-1 1.0 % of 404 videos, mean over 2 classes 37.6 %" in found
    for expected in ("75 %\n3", "25 %\n1", "<1 %\n1", "100 %\n398", "walk  (4)", "$a$ b_c $d$  (0)", "run  (400)"):
        assert expected in found
    assert "0 %\n0" not in found  # empty cells stay empty
    formulas = [
        text for text in drawn[0].findobj(matplotlib.text.Text) if text.get_visible() and "$" in text.get_text()
    ]
    assert len(formulas) == 2 and not any(text.get_parse_math() for text in formulas)


def test_a_large_one_lists_what_is_confused(tmp_path, drawn):
    matrix = np.diag(np.full(150, 10))
    matrix[7, 9], matrix[9, 9] = 6, 1
    names = [f"class {i}" for i in range(150)]
    plot_confusion_matrix(matrix, names, tmp_path / "m.png", "XViT")
    found = texts(drawn[0])
    assert "class 7\n→ class 9" in found and "6 of 16  (38 %)" in found  # the only confusion
    assert "class 7" in found and "10 of 16  (62 %)" in found  # the only class that is not perfect
    assert "class 9" not in found


@pytest.mark.parametrize("matrix", [np.diag(np.full(40, 3)), np.zeros((40, 40), int), np.zeros((4, 4), int)])
def test_nothing_wrong_and_nothing_scored_can_be_drawn(tmp_path, matrix, drawn):
    plot_confusion_matrix(matrix, [str(i) for i in range(len(matrix))], tmp_path / "m.png", "XViT")
    expected = "top-1 100.0 % of 120 videos" if matrix.any() else "no videos were scored"
    assert any(expected in text for text in texts(drawn[0]))


def test_pairs_by_count_then_by_share():
    matrix = np.array([[9, 2, 0, 0], [1, 0, 0, 0], [0, 2, 2, 0], [0, 0, 3, 90]])
    assert most_confused_pairs(matrix, 3) == [(3, 2, 3, 100 * 3 / 93), (2, 1, 2, 50.0), (0, 1, 2, 100 * 2 / 11)]
    assert len(most_confused_pairs(matrix, 99)) == 4


def test_long_names_keep_both_ends():
    name = "pretending to put something behind something without letting it drop"
    short = plots._shorten(name, 30)
    assert len(short) <= 30 and short.startswith("pretending") and short.endswith("it drop") and "…" in short
    assert plots._shorten("walk", 30) == "walk"
    first, second = plots._two_lines(name, 25).split("\n")
    assert first == "pretending to put" and second == "…without letting it drop"
    assert "\n" in plots._two_lines("w" * 80, 30)


def test_names_must_fit_the_matrix(tmp_path):
    with pytest.raises(ValueError, match=r"\(3, 3\) does not fit 2 class names"):
        plot_confusion_matrix(np.eye(3, dtype=int), ["a", "b"], tmp_path / "m.png", "")


def test_no_pyplot():
    assert "pyplot" not in vars(plots) and plots.FigureCanvasAgg.__module__ in sys.modules
