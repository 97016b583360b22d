"""The report as one HTML page that needs nothing beside itself; the page itself is in page.html."""

import json
import os
from collections import Counter
from html import escape
from pathlib import Path

from slowfast.datasets.scan.charts import histogram_chart, share_chart
from slowfast.datasets.scan.summary import class_name, class_numbers, histogram, most_common
from slowfast.datasets.scan.verdicts import STATUSES

_TEMPLATE = Path(__file__).with_name("page.html")
MAX_ROWS = 5000  # problems that the page lists; report.json has them all
LABEL = "label"  # kind of problem beside the statuses
NAMES = {
    "ok": "ok",
    "partial": "partly readable",
    "unreadable": "unreadable",
    "missing": "missing",
    "too_short": "too short",
    "duplicate": "duplicate",
    LABEL: "label out of range",
}


def render_page(verdicts, report, names=None):
    """Text of the page.

    Args:
        verdicts: list of Verdict.
        report: dict of report.json, see `report.make_report`.
        names: class names, or None.
    """
    wrong = [verdict for verdict in verdicts if not verdict.is_well]
    left_out = f"{MAX_ROWS:,} of {len(wrong):,} lines; report.json has them all." if len(wrong) > MAX_ROWS else ""
    parts = {
        "subtitle": escape(f"{report['source']} · {report['date']}"),
        "banner": _banner(report, len(verdicts), len(wrong)),
        "splits": "".join(_card(split, numbers) for split, numbers in report["splits"].items()),
        "notes": _notes(report),
        "left_out": left_out,
        "charts": _charts(verdicts),
        "footer": _footer(report),
        "data": _data(_some(wrong), report, names),
    }
    page = _TEMPLATE.read_text(encoding="utf-8")
    for name in parts:
        assert f"{{{{{name}}}}}" in page, name
    head, *pieces = page.split("{{")
    return head + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces))


def _some(wrong):
    """At most MAX_ROWS verdicts in their order, of every split and kind as evenly as can be."""
    seen, ranks = Counter(), []
    for place, verdict in enumerate(wrong):
        kind = verdict.split, verdict.status
        seen[kind] += 1
        ranks.append((seen[kind], place))
    return [wrong[place] for place in sorted(place for _, place in sorted(ranks)[:MAX_ROWS])]


def _banner(report, lines, wrong):
    if report["ok"]:
        headline = f"All {lines:,} lines are well" if lines != 1 else "The one line is well"
    elif wrong:
        headline = f"{wrong:,} of {lines:,} lines need{'s' if wrong == 1 else ''} attention"
    else:
        headline = "The videos are well, the lists are not"
    how = (
        "Every frame of every video was decoded."
        if report["options"]["full"]
        else "Of each video the first, the middle and the last frame were decoded; --full decodes every frame."
    )
    leaks = sum(numbers["leaks"] for numbers in report["splits"].values())
    leak = f"<p><b>{leaks:,} of the training lines are also tested on.</b></p>" if leaks else ""
    return f'<div class="banner{"" if report["ok"] else " wrong"}">{headline}{leak}<p>{how}</p></div>'


def _card(split, numbers):
    kinds = [(status, numbers[status]) for status in STATUSES if numbers[status]]
    stack = "".join(
        f'<i style="flex:{number};background:var(--{kind})" title="{NAMES[kind]}: {number:,}"></i>'
        for kind, number in kinds
    )
    legend = [*kinds, (LABEL, numbers["wrong_labels"])] if numbers["wrong_labels"] else kinds
    dots = "".join(
        f'<span><i class="dot" style="--kind:var(--{kind})"></i>{NAMES[kind]} {number:,}</span>'
        for kind, number in legend
    )
    size = f"{_hours(numbers['seconds'])} · {_bytes(numbers['bytes'])} · {numbers['classes']:,} classes"
    return (
        f'<div class="card"><h3>{escape(split)}</h3><div><span class="big">{numbers["lines"]:,}</span> lines</div>'
        f'<div class="stack">{stack}</div><div class="legend">{dots}</div><div class="soft small">{size}</div></div>'
    )


def _notes(report):
    items = "".join(f"<li>{escape(note)}</li>" for note in [*report["lists"], *report["notes"]])
    return f'<h2>Worth knowing</h2><ul class="notes">{items}</ul>' if items else ""


def _charts(verdicts):
    readable = [verdict for verdict in verdicts if verdict.frames]
    if not readable:
        return '<p class="soft">Not one of them can be read.</p>'
    seconds = [verdict.seconds for verdict in readable if verdict.seconds]
    rates = most_common(round(verdict.fps, 2) for verdict in readable if verdict.fps)
    sizes = most_common((verdict.width, verdict.height) for verdict in readable if verdict.width)
    charts = [("Length", histogram_chart(*histogram(seconds), "seconds"))] if seconds else []
    charts.append(("Frames", histogram_chart(*histogram([verdict.frames for verdict in readable]), "frames")))
    if rates:
        values = [("others" if rate is None else f"{rate:g} fps", number) for rate, number in rates]
        charts.append(("Frame rate", share_chart(values, "frame rates")))
    if sizes:
        values = [(f"{size[0]} × {size[1]}" if size else "others", number) for size, number in sizes]
        charts.append(("Picture size, width × height in px", share_chart(values, "picture sizes")))
    cards = "".join(f'<div class="card"><h3>{title}</h3>{svg}</div>' for title, svg in charts)
    return f'<div class="cards wide">{cards}</div>'


def _footer(report):
    cleaned = ", ".join(f"<code>{escape(name)}</code>" for name in report["cleaned"]) or "none"
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    return (
        f"Lists of the lines that are well, beside this page: {cleaned}. No file of yours was changed or deleted. "
        f"When some are mended, the same command looks at those alone. All of this as data: <code>report.json</code>."
        f"<br>{escape(report['command'])}<br>"
        f"{escape(versions)}"
    )


def _data(wrong, report, names):
    folder = _common_folder([verdict.record.path for verdict in wrong])
    problems = [
        {
            "kinds": ([verdict.status] if verdict.status != "ok" else []) + ([LABEL] if verdict.label_problem else []),
            "status": verdict.status,
            "class": _class(verdict.record.label, names),
            **{key: verdict.as_dict()[key] for key in ("split", "path", "reason", "frames")},
        }
        for verdict in wrong
    ]
    classes = [{"name": row["name"], "well": row["well"], **row["lines"]} for row in report["classes"]]
    data = {"problems": problems, "classes": classes, "splits": list(report["splits"])}
    data |= {"names": NAMES, "folder": folder}
    return json.dumps(data).replace("<", "\\u003c")


def _common_folder(paths):
    """The folder, with its "/", that all paths start with; "" where there is none."""
    folders = [path.rpartition("/")[0] for path in paths]
    common = os.path.commonpath(folders) if folders and len({f[:1] == "/" for f in folders}) == 1 else ""
    return common.rstrip("/") + "/" if common else ""


def _class(label, names):
    return ", ".join(class_name(number, names) for number in class_numbers(label))


def _hours(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _bytes(number):
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
