"""Pictures of a test run, drawn with matplotlib's objects on the Agg canvas: no pyplot, no global state, no screen."""

import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slowfast.evaluation.metrics import per_class_accuracy
from slowfast.utils.io import atomic_write

DPI = 150
MAX_CLASSES_WITH_NUMBERS = 30  # beyond: an overview without numbers, and lists
MAX_CLASSES_WITH_NAMES = 110  # beyond: class indices instead of names beside the overview
CELLS_WIDTH = 620  # points, about the width of the overview's cells
# Sequential, perceptually uniform, readable when colour-blind or in grey; without its near-white and black ends.
COLORS = ListedColormap(matplotlib.colormaps["magma_r"](np.linspace(0.03, 0.82, 256)))
INK, FAINT = "#222222", "#e4e4e4"  # of text and of lines


def plot_confusion_matrix(matrix, class_names, path, title):
    """Write a confusion matrix as a PNG.

    Up to 30 classes: every cell as percent of its true class, with numbers, names and counts. More classes: an overview
    of all cells (with names up to 110), the most confused pairs, the weakest classes, and how accuracy is spread.

    Args:
        matrix: integers (K, K), rows: true classes, columns: predicted classes.
        class_names: K strings.
        path: of the PNG, replaced whole.
        title: first line of the heading; the second states the accuracy.
    Raises:
        ValueError: the matrix is not square or has no name for each class.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(class_names),) * 2:
        raise ValueError(f"a confusion matrix of shape {matrix.shape} does not fit {len(class_names)} class names")
    draw = _draw_with_numbers if len(matrix) <= MAX_CLASSES_WITH_NUMBERS else _draw_overview
    figure = draw(matrix, [str(name) for name in class_names])
    figure.suptitle(f"{title}\n{_summary(matrix)}", fontsize=12, color=INK, parse_math=False)
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.2))


def most_confused_pairs(matrix, limit):
    """The off-diagonal cells that cost most: by count, then by share of the true class.

    (By share alone, classes of one or two videos would fill the list.)

    Returns: list of (true class, predicted class, count, percent of the true class), at most `limit`, none empty.
    """
    matrix = np.asarray(matrix)
    percent = _row_percent(matrix)
    true, predicted = np.nonzero(np.where(np.eye(len(matrix), dtype=bool), 0, matrix))
    order = np.lexsort((-percent[true, predicted], -matrix[true, predicted]))[:limit]
    return [(int(t), int(p), int(matrix[t, p]), float(percent[t, p])) for t, p in zip(true[order], predicted[order])]


def _row_percent(matrix):
    """float64 (K, K): percent of the true class; 0 where a class has no videos."""
    return 100.0 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def _summary(matrix):
    accuracy, counts = per_class_accuracy(matrix)
    if not counts.sum():
        return "no videos were scored"
    top1, mean = 100.0 * np.trace(matrix) / counts.sum(), np.nanmean(accuracy)
    tested = np.count_nonzero(counts)
    return f"top-1 {top1:.1f} % of {counts.sum():,} videos, mean over {tested} classes {mean:.1f} %"


def _shorten(name, width):
    """At most `width` characters; the middle goes, since names of one family often differ at the end."""
    head = width // 2
    return name if len(name) <= width else f"{name[:head].rstrip()}…{name[head + 1 - width :].lstrip()}"


def _two_lines(name, width):
    lines = textwrap.wrap(name, width) or [""]
    return "\n".join(lines if len(lines) <= 2 else [lines[0], "…" + name[1 - width :].partition(" ")[2]])


def _figure(width, height, layout):
    """Args: width, height: inches; layout: "compressed" around one square axes, "constrained" for several."""
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _draw_with_numbers(matrix, names):
    """Every cell with its percent; K <= 30."""
    num_classes, counts = len(matrix), matrix.sum(axis=1)
    percent = _row_percent(matrix)
    cell = float(np.clip(7.0 / num_classes, 0.38, 1.1))  # inches
    wrap = min(max(map(len, names)) // 2 + 6, 45)  # characters; wider ones lose their middle
    labels = [_two_lines(name, wrap) for name in names]
    label_width = 0.075 * max(len(line) for label in labels for line in label.split("\n"))
    side = cell * num_classes
    figure = _figure(side + label_width + 2.0, side + 0.7 * label_width + 1.8, "compressed")
    axes = figure.add_subplot()
    image = axes.imshow(np.ma.masked_equal(percent, 0), cmap=COLORS, vmin=0, vmax=100)
    _annotate(axes, matrix, percent, cell)
    ticks, straight = np.arange(num_classes), max(map(len, names)) * 0.09 < cell
    turn = {} if straight else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(ticks, labels, parse_math=False, fontsize=9, **turn)
    axes.set_yticks(ticks, [f"{n}  ({c})" for n, c in zip(labels, counts)], parse_math=False, fontsize=9)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class (videos)")
    _tidy(axes)
    axes.set_xticks(ticks[1:] - 0.5, minor=True)
    axes.set_yticks(ticks[1:] - 0.5, minor=True)
    axes.grid(which="minor", color=FAINT, linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    _color_bar(figure, image, axes)
    return figure


def _annotate(axes, matrix, percent, cell):
    """Percent in every cell that is not empty, and below it the count where there is room."""
    for row, column in zip(*np.nonzero(matrix)):
        value = percent[row, column]
        text = f"{value:.0f}" if value >= 0.5 else "<1"
        if cell >= 0.6:
            text += f" %\n{matrix[row, column]}"
        luminance = np.dot(COLORS(value / 100)[:3], (0.299, 0.587, 0.114))
        color = INK if luminance > 0.5 else "white"
        axes.text(column, row, text, ha="center", va="center", fontsize=9 if cell >= 0.45 else 8, color=color)


def _draw_overview(matrix, names):
    """All cells without numbers, beside lists of what goes wrong most; K > 30."""
    figure = _figure(18, 11, "constrained")
    left, right = figure.add_gridspec(1, 2, width_ratios=(1.35, 1))
    pairs, weakest, spread = right.subgridspec(3, 1, height_ratios=(28, 11, 8))
    _draw_cells(figure, figure.add_subplot(left), matrix, names)
    _draw_pairs(figure.add_subplot(pairs), matrix, names)
    _draw_weakest(figure.add_subplot(weakest), matrix, names)
    _draw_spread(figure.add_subplot(spread), matrix)
    return figure


def _draw_cells(figure, axes, matrix, names):
    """Every non-empty cell as a square of at least 2 points, strong ones on top: a pixel a class would get lost."""
    num_classes, percent = len(matrix), _row_percent(matrix)
    true, predicted = np.nonzero(matrix)
    order = np.argsort(percent[true, predicted], kind="stable")
    true, predicted = true[order], predicted[order]
    side = max(CELLS_WIDTH / num_classes, 2.4)  # points
    cells = axes.scatter(
        predicted,
        true,
        s=side**2,
        c=percent[true, predicted],
        marker="s",
        linewidths=0,
        cmap=COLORS,
        norm=PowerNorm(0.5, 0, 100),  # else the few percent of a confusion are as pale as nothing
    )
    axes.set(xlim=(-0.5, num_classes - 0.5), ylim=(num_classes - 0.5, -0.5), aspect="equal")
    named = num_classes <= MAX_CLASSES_WITH_NAMES
    axes.set_xlabel("predicted class" if named else "predicted class (index)")
    axes.set_ylabel("true class" if named else "true class (index)")
    if named:
        labels, size = [_shorten(name, 32) for name in names], min(0.9 * side, 9)
        axes.set_xticks(range(num_classes), labels, fontsize=size, rotation=90, parse_math=False)
        axes.set_yticks(range(num_classes), labels, fontsize=size, parse_math=False)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    _tidy(axes)
    axes.grid(color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    _color_bar(figure, cells, axes)


def _draw_pairs(axes, matrix, names):
    pairs = most_confused_pairs(matrix, 15)
    counts = matrix.sum(axis=1)
    _bars(
        axes,
        [count for *_, count, _ in pairs],
        [f"{_shorten(names[t], 60)}\n→ {_shorten(names[p], 60)}" for t, p, *_ in pairs],
        [f"{count} of {counts[t]}  ({share:.0f} %)" for t, _, count, share in pairs],
    )
    axes.set_title("most confused: true → predicted class", loc="left", fontsize=11)


def _draw_weakest(axes, matrix, names):
    accuracy, counts = per_class_accuracy(matrix)
    flawed = np.flatnonzero(accuracy < 100)
    weakest = flawed[np.lexsort((-counts[flawed], accuracy[flawed]))][:10]
    _bars(
        axes,
        accuracy[weakest],
        [_shorten(names[c], 60) for c in weakest],
        [f"{matrix[c, c]} of {counts[c]}  ({accuracy[c]:.0f} %)" for c in weakest],
    )
    axes.set_title("lowest accuracy", loc="left", fontsize=11)


def _draw_spread(axes, matrix):
    accuracy, counts = per_class_accuracy(matrix)
    axes.hist(accuracy[counts > 0], bins=np.linspace(0, 100, 21), color=COLORS(0.6), edgecolor="white")
    axes.set_title("classes by accuracy", loc="left", fontsize=11)
    axes.set_xlabel("accuracy of a class (%)")
    axes.set_ylabel("classes")
    axes.set_xlim(0, 100)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _bars(axes, values, names, notes):
    """Horizontal bars, the first on top, a name before and a note behind each."""
    rows = np.arange(len(values))
    longest = max([*values, 1])
    axes.barh(rows, values, height=0.72, color=COLORS(0.6))
    for row, value, note in zip(rows, values, notes):
        axes.text(value + 0.01 * longest, row, note, va="center", fontsize=8, color=INK)
    axes.set_yticks(rows, names, fontsize=8, parse_math=False)
    axes.set(xlim=(0, 1.4 * longest), ylim=(max(len(rows), 1) - 0.4, -0.6))
    axes.xaxis.set_visible(False)
    _tidy(axes)


def _color_bar(figure, mappable, axes):
    bar = figure.colorbar(mappable, ax=axes, fraction=0.035, pad=0.02, shrink=0.8)
    bar.set_label("% of the videos of the true class")
    bar.outline.set_visible(False)


def _tidy(axes):
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_color(FAINT)
