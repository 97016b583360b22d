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
    ("which moments? along time, at each place\nthrough a bottleneck of half the width", BETWEEN, 5.55, 3.3, TRAINED),
    ("which places? over places, at each time\nthrough a bottleneck of half the width", BETWEEN, 4.5, 3.3, TRAINED),
    *(("MLP", x - 0.71, 6.6, 1.18, FROZEN) for x in (SPACE, TIME)),
    *(("adapter", x + 0.71, 6.6, 1.18, TRAINED) for x in (SPACE, TIME)),
    ("mean of class tokens, norm\nhead: nouns", SPACE, 8.1, 2.6, TRAINED),
    ("mean of all tokens, norm\nhead: verbs", TIME, 8.1, 2.6, TRAINED),
)
ARROWS = (  # from, to; both directions of the exchange read (y 4.3) what stands before either writes (y 5.75)
    *(((x, a), (x, b)) for x in (SPACE, TIME) for a, b in ((0.7, 1.2), (1.8, 2.5), (3.9, 6.3), (6.9, 7.7))),
    ((SPACE, 4.3), (BETWEEN - 1.73, 4.5)),
    ((BETWEEN + 1.73, 4.5), (TIME, 5.75)),
    ((TIME, 4.3), (BETWEEN + 1.73, 5.55)),
    ((BETWEEN - 1.73, 5.55), (SPACE, 5.75)),
)


def draw(path):
    """Write the figure as a PNG."""
    figure = Figure(figsize=(9, 7.2), dpi=120)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 10), ylim=(0, 9.2))
    axes.axis("off")
    axes.add_patch(FancyBboxPatch((0.15, 2.35), 9.7, 4.75, boxstyle="round,pad=0.05", fill=False, linestyle=":"))
    axes.text(9.75, 7.15, "x 12 blocks", ha="right", va="bottom", fontsize=9)
    for text, x, y, width, colour in BOXES:
        style = {"boxstyle": "round,pad=0.08", "facecolor": colour, "edgecolor": "#555555"}
        height = 0.44 if "\n" not in text else 0.62
        axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, **style))
        axes.text(x, y, text, ha="center", va="center", fontsize=9)
    for start, end in ARROWS:
        axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "#333333"})
    axes.text(SPACE, 8.8, "CLIP: space", ha="center", fontsize=11, weight="bold")
    axes.text(TIME, 8.8, "VideoMAE: time", ha="center", fontsize=11, weight="bold")
    axes.text(BETWEEN, 8.8, "blue: frozen   orange: trained", ha="center", fontsize=9)
    canvas = FigureCanvasAgg(figure)
    atomic_write(path, canvas.print_png)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("cast.png"))
