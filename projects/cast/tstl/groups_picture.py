"""A picture of groups of classes: who is together, and how alike classes are within and between groups."""

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from slowfast.utils.io import atomic_write

COLORS = matplotlib.colormaps["tab20"]
LINE_HEIGHT = 0.17  # inches
NAME_LENGTH = 60  # characters


def draw_groups(groups, path, similarity=None):
    """Write a PNG: every group with its classes, and where a similarity is given its matrix, classes by group.

    Args: groups: Groups. path: replaced whole. similarity: (K, K) or None.
    """
    height = max(3.0, LINE_HEIGHT * (groups.num_classes + 1.5 * groups.num_groups))
    figure = Figure(figsize=(7.0 if similarity is None else 15.0, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 1 if similarity is None else 2, squeeze=False)[0]
    _list(panels[0], groups)
    if similarity is not None:
        _matrix(panels[1], groups, np.asarray(similarity))
    figure.suptitle(f"{groups.num_classes} classes in {groups.num_groups} groups\n{groups.source}", parse_math=False)
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=100))


def _list(axes, groups):
    y = 0.0
    for number, members in enumerate(groups.members):
        top = y
        for label in members:
            name = groups.class_names[label] if groups.class_names else f"class {label}"
            axes.text(0.08, y + 0.5, f"{label}  {name[:NAME_LENGTH]}", fontsize=8, va="center", parse_math=False)
            y += 1
        axes.add_patch(Rectangle((0, top), 0.06, y - top, color=COLORS(number % COLORS.N)))
        axes.text(0.03, (top + y) / 2, str(number), fontsize=9, ha="center", va="center")
        y += 0.5
    axes.set(xlim=(0, 1), ylim=(y, 0))
    axes.axis("off")


def _matrix(axes, groups, similarity):
    order = [label for members in groups.members for label in members]
    image = axes.imshow(similarity[np.ix_(order, order)], cmap="magma_r")
    start = 0
    for number, members in enumerate(groups.members):
        side = len(members)
        corner = (start - 0.5, start - 0.5)
        axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=COLORS(number % COLORS.N), linewidth=2))
        start += side
    axes.set(xticks=[], yticks=[], title="how alike two classes are, classes in the order of their groups")
    axes.figure.colorbar(image, ax=axes, shrink=0.5)
