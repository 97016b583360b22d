"""Bars as inline SVG, for a page that needs nothing beside itself."""

from html import escape
from itertools import count

WIDTH, HEIGHT = 520, 190  # px of the drawing; it scales with the page
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 8, 10, 38
_FLOOR = HEIGHT - _BOTTOM  # where bars stand
_TICKS = 4
_LABELS = 6
_NAME, _NUMBER, _ROW = 92, 60, 22  # px of a lying bar: its name, its number, its row


def histogram_chart(edges, counts, unit):
    """Upright bars over a scale, each telling its number under the mouse.

    Args:
        edges, counts: as `summary.histogram` returns them.
        unit: what the horizontal axis counts.
    Returns: text of an <svg> element.
    """
    bars = _bars(edges, counts)
    highest = max(number for *_, number in bars)
    step = _tick_step(highest)
    top = step * -(-highest // step)
    slot = (WIDTH - _LEFT - _RIGHT) / len(bars)
    columns = "".join(
        _column(_LEFT + place * slot, slot, number / top, f"{meaning}: {number:,}")
        for place, (_, meaning, number) in enumerate(bars)
    )
    labels = "".join(
        _text("tick", _LEFT + place * slot, _FLOOR + 14, label) for place, (label, *_) in enumerate(bars) if label
    )
    below = _text("unit", (_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, unit)
    return _svg(f"{_scale(step, top)}{columns}{labels}{below}", HEIGHT, f"histogram of {unit}")


def share_chart(values, what):
    """Lying bars, one below the other, with a name before and the number behind each.

    Args:
        values: list of (text, number); not empty.
        what: is counted.
    Returns: text of an <svg> element.
    """
    highest = max(number for _, number in values)
    room = WIDTH - _NAME - _NUMBER
    rows = []
    for place, (text, number) in enumerate(values):
        y = _TOP + place * _ROW
        rows.append(_text("tick", _NAME - 8, y + _ROW - 8, text, "end"))
        rows.append(_rectangle("bar", _NAME, y + 4, room * number / highest, _ROW - 8, f"{text}: {number:,}"))
        rows.append(_text("tick", _NAME + room * number / highest + 6, y + _ROW - 8, f"{number:,}", "start"))
    return _svg("".join(rows), 2 * _TOP + len(values) * _ROW, what)


def _bars(edges, counts):
    """[(label where the bar begins or "", what the bar stands for, number)]."""
    every = max(1, -(-len(counts) // _LABELS))
    bars = []
    for place, number in enumerate(counts):
        low, high = edges[place], edges[place + 1]
        meaning = f"{low:g} and more" if high == float("inf") else f"{low:g} to {high:g}"
        bars.append((f"{low:g}" if place % every == 0 else "", meaning, int(number)))
    return bars


def _svg(content, height, title):
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return f"{head}{content}</svg>"


def _scale(step, top):
    lines = []
    for tick in range(0, top + 1, step):
        y = _FLOOR - (_FLOOR - _TOP) * tick / top
        lines.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(_text("tick", _LEFT - 6, y + 3.5, f"{tick:,}", "end"))
    return "".join(lines)


def _column(x, slot, share, tip):
    """A bar as high as its share of the scale, and an unseen one of full height, so that small ones can be met."""
    height = (_FLOOR - _TOP) * share
    gap = min(1, slot / 4)
    bar = _rectangle("bar", x + gap, _FLOOR - height, slot - 2 * gap, height, tip) if share else ""
    return _rectangle("slot", x, _TOP, slot, _FLOOR - _TOP, tip) + bar


def _rectangle(kind, x, y, width, height, tip):
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}><title>{escape(tip)}</title></rect>'


def _text(kind, x, y, text, anchor="middle"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _tick_step(highest):
    """The smallest of 1, 2, 5, 10, 20 ... that divides the scale into few enough parts."""
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    return next(step for step in steps if highest / step <= _TICKS)
