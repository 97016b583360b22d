"""The report's files: report.json whole and valid, a page that needs nothing else and shows names as they are."""

import json
import re
from html.parser import HTMLParser

import pytest

from slowfast.datasets.annotations import Record
from slowfast.datasets.scan import page
from slowfast.datasets.scan.charts import histogram_chart, share_chart
from slowfast.datasets.scan.report import make_report, write_report
from slowfast.datasets.scan.scan import ScanOptions
from slowfast.datasets.scan.sources import Source
from slowfast.datasets.scan.verdicts import Verdict

NASTY = "/data/<script>alert('x')</script> & \"q\"\n{{data}} lat\udce9n.mp4"


def verdict(path, split, label, status="ok", reasons=(), **fields):
    return Verdict(Record(0, path, label), split, status, list(reasons), 10, 5.0, 4, 3, 2.0, 100, **fields)


@pytest.fixture
def written(tmp_path):
    """function (verdicts, names) -> (parsed report.json, text of report.html)."""

    def written(verdicts, names=None, warnings=()):
        splits = {v.split: [w.record for w in verdicts if w.split == v.split] for v in verdicts}
        source = Source("lists", splits, names=names, num_classes=3, warnings=list(warnings))
        report = make_report(verdicts, source, ScanOptions())
        write_report(tmp_path, verdicts, report, source)
        return json.loads((tmp_path / "report.json").read_text()), (tmp_path / "report.html").read_text("utf-8")

    return written


def embedded(html):
    return json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', html, re.S).group(1))


class Tags(HTMLParser):
    """All start tags of a page; raises nothing, but counts what stays open."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in ("line", "rect"):
            assert self.open.pop() == tag


def test_json_and_lists(written, tmp_path):
    verdicts = [
        verdict("/data/a.mp4", "train", 0),
        verdict("/data/b.mp4", "train", 1, "unreadable", ["the file is empty"]),
        verdict("/data/c.mp4", "train", 7, label_problem="label 7 is out of range, expected 0 to 2"),
        verdict("/data/a.mp4", "val", 0, leak=""),
    ]
    report, _ = written(verdicts)
    assert report["ok"] is False
    assert [(row["path"], row["split"], row["status"]) for row in report["files"]] == [
        *(("/data/a.mp4", "train", "ok"), ("/data/b.mp4", "train", "unreadable"), ("/data/c.mp4", "train", "ok")),
        ("/data/a.mp4", "val", "ok"),
    ]
    keys = {"path", "split", "label", "status", "frames", "fps", "width", "height", "seconds", "reason"}
    assert all(keys <= set(row) for row in report["files"])
    assert [row["path"] for row in report["labels_out_of_range"]] == ["/data/c.mp4"]
    assert report["splits"]["train"]["well"] == 1
    assert [row["lines"] for row in report["classes"]][:2] == [{"train": 1, "val": 1}, {"train": 1, "val": 0}]
    assert report["cleaned"] == ["train.csv", "val.csv"]
    assert (tmp_path / "train.csv").read_text() == "/data/a.mp4 0\n"


def test_all_is_well(written):
    report, html = written([verdict("/data/a.mp4", "train", 0)])
    assert report["ok"]
    assert "The one line is well" in html
    assert embedded(html)["problems"] == []


def test_lists_that_warned_are_not_well(written):
    report, html = written([verdict("/data/a.mp4", "train", 0)], warnings=["skipped: train.csv:3: got 'x'"])
    assert not report["ok"]
    assert "train.csv:3" in html


def test_page_needs_nothing_else(written):
    _, html = written([verdict("/data/a.mp4", "train", 0), verdict("/data/b.mp4", "val", 1, "missing", ["no file"])])
    parsed = Tags(html)
    assert parsed.open == []
    assert not [
        tag for tag, attrs in parsed.tags if tag in ("link", "img", "iframe") or "src" in attrs or "href" in attrs
    ]
    assert "url(" not in html
    assert "@import" not in html
    assert len([tag for tag, _ in parsed.tags if tag == "svg"]) == 4
    assert "{{" not in html


def test_names_cannot_break_the_page(written):
    """Tags, quotes, the page's own marks and bytes that are no text, in a path and in a class name."""
    report, html = written([verdict(NASTY, "train", 0, "missing", ["no file"])], names={0: "</script><b>"})
    assert report["files"][0]["path"] == NASTY
    data = embedded(html)
    assert data["problems"][0]["path"] == NASTY
    assert data["classes"][0]["name"] == "</script><b>"
    assert Tags(html).open == []
    assert "<b>" not in html.split("<script", 1)[0].replace("<b></b>", "")


def test_problems_of_all_kinds_where_there_are_too_many(written, monkeypatch):
    monkeypatch.setattr(page, "MAX_ROWS", 4)
    verdicts = [verdict(f"/data/{n}", "train", 0, "missing", ["none"]) for n in range(10)]
    verdicts += [
        verdict("/data/x", "val", 0, "partial", ["cut"]),
        verdict("/data/y", "train", 0, "duplicate", ["same"]),
    ]
    report, html = written(verdicts)
    assert len(report["files"]) == 12
    rows = embedded(html)["problems"]
    assert [row["status"] for row in rows] == ["missing", "missing", "partial", "duplicate"]
    assert "4 of 12 lines" in html


def test_nothing_readable(written):
    _, html = written([Verdict(Record(0, "a", 0), "train", "missing", ["none"], *[None] * 6)])
    assert "Not one of them can be read" in html


def test_leaks_stand_on_top(written):
    _, html = written(
        [verdict("/data/a", "train", 0, "duplicate", ["a leak"], leak="val"), verdict("/data/a", "val", 0)]
    )
    assert "1 of the training lines" in html


def test_histogram_chart():
    """Heights in proportion to the counts: 3 of a scale of 4 parts that ends at 3."""
    svg = histogram_chart([0.0, 5.0, float("inf")], [1, 3], "seconds")
    heights = [float(h) for h in re.findall(r'class="bar"[^>]*height="([\d.]+)"', svg)]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01)
    assert "<title>0 to 5: 1</title>" in svg
    assert "<title>5 and more: 3</title>" in svg


def test_share_chart():
    svg = share_chart([("30 fps", 4), ("<others>", 1)], "rates")
    widths = [float(w) for w in re.findall(r'class="bar"[^>]*width="([\d.]+)"', svg)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert "&lt;others&gt;" in svg
