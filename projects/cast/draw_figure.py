#!/usr/bin/env python
"""Draw the picture of CAST in its README: python projects/cast/draw_figure.py [OUT.png]"""

import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from slowfast.utils.io import atomic_write

FROZEN, TRAINED, PLAIN = "#cfe2f3", "#f9d5a7", "#eeeeee"
SPACE, TIME, BETWEEN = 1.6, 8.4, 5.0  # x of the two streams and of the exchange
BOXES = (  # text, x, y, width, colour
    ("every second frame", SPACE, 0.4, 2.6, PLAIN),
    ("all frames", TIME, 0.4, 2.6, PLAIN),
    ("patches of a frame, class token", SPACE, 1.5, 2.6, FROZEN),
    ("tubelets of 2 frames", TIME, 1.5, 2.6, FROZEN),
    ("attention within each frame", SPACE, 2.8, 2.6, FROZEN),
    ("attention over space and time", TIME, 2.8, 2.6, FROZEN),
    ("adapter", SPACE, 3.6, 2.6, TRAINED),
    ("adapter", TIME, 3.6, 2.6, TRAINED),
    ("which moments? (along time, at each place)", BETWEEN, 5.15, 3.3, TRAINED),
    ("which places? (over places, at each time)", BETWEEN, 4.35, 3.3, TRAINED),
    ("MLP, adapter beside it", SPACE, 6.0, 2.6, FROZEN),
    ("MLP, adapter beside it", TIME, 6.0, 2.6, FROZEN),
    ("mean of class tokens: nouns", SPACE, 7.4, 2.6, TRAINED),
    ("mean of all tokens: verbs", TIME, 7.4, 2.6, TRAINED),
)
ARROWS = (  # from, to
    *(((x, a), (x, b)) for x in (SPACE, TIME) for a, b in ((0.7, 1.2), (1.8, 2.5), (3.9, 5.7), (6.3, 7.1))),
    ((TIME, 4.9), (BETWEEN + 1.7, 5.15)),
    ((BETWEEN - 1.7, 5.15), (SPACE, 5.4)),
    ((SPACE, 4.1), (BETWEEN - 1.7, 4.35)),
    ((BETWEEN + 1.7, 4.35), (TIME, 4.6)),
)


def draw(path):
    """Write the figure as a PNG."""
    figure = Figure(figsize=(9, 6.6), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(0, 8.4))
    axes.axis("off")
    axes.add_patch(FancyBboxPatch((0.15, 2.35), 9.7, 4.2, boxstyle="round,pad=0.05", fill=False, linestyle=":"))
    axes.text(9.75, 6.62, "x 12 blocks", ha="right", va="bottom", fontsize=9)
    for text, x, y, width, colour in BOXES:
        style = {"boxstyle": "round,pad=0.08", "facecolor": colour, "edgecolor": "#555555"}
        axes.add_patch(FancyBboxPatch((x - width / 2, y - 0.22), width, 0.44, **style))
        axes.text(x, y, text, ha="center", va="center", fontsize=9)
    for start, end in ARROWS:
        axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#333333"})
    axes.text(SPACE, 8.0, "CLIP: space", ha="center", fontsize=11, weight="bold")
    axes.text(TIME, 8.0, "VideoMAE: time", ha="center", fontsize=11, weight="bold")
    axes.text(BETWEEN, 8.0, "blue: frozen   orange: trained", ha="center", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    atomic_write(path, canvas.print_png)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("cast.png"))
