"""Cleaned lists come back as the same records through the reader of lists."""

import pytest

from slowfast.datasets.annotations import Record, read_kinetics_csv
from slowfast.datasets.annotations.epic import read_epic_csv
from slowfast.datasets.scan.cleaned import cleaned_list

NAMES = [
    "plain.mp4",
    "a b.mp4",
    "a,b.mp4",
    'a"b.mp4',
    "a\tb.mp4",
    "line\nbreak.mp4",
    " lead.mp4",
    "é 视频.mp4",
    "5",
    "a 7",
]


@pytest.mark.parametrize("separator", [None, " ", ",", "\t"])
def test_names_of_all_kinds(tmp_path, separator):
    records = [Record(row, f"/data/{name}", row) for row, name in enumerate(NAMES)]
    text, note = cleaned_list(records, separator)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    assert read_kinetics_csv(tmp_path / "list.csv", separator=separator or "auto") == records
    assert note == ""


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cleaned_list([Record(0, "clips/a.mp4", 3)])[0] == f"{tmp_path}/clips/a.mp4 3\n"


def test_two_heads(tmp_path):
    records = [Record(row, f"/data/{name}", (row, 2 * row)) for row, name in enumerate(NAMES[:4])]
    (tmp_path / "list.csv").write_text(cleaned_list(records)[0])
    actions = read_epic_csv(tmp_path / "list.csv")
    assert [(action.video, action.label) for action in actions] == [(record.path, record.label) for record in records]


def test_pieces_of_videos(tmp_path):
    """One beyond the first hour, one with frame numbers; times come back to a microsecond."""
    spans = [(0.0, 1.25), (3723.456, 3800.0), (59.999999, 60.0)]
    records = [Record(row, f"/data/a,{row}.mp4", (row, 5), span_s=span) for row, span in enumerate(spans)]
    records.append(Record(3, "/data/folder", (1, 2), span_s=(1.0, 2.0), span_frames=(29, 60)))
    text, note = cleaned_list(records)
    (tmp_path / "list.csv").write_text(text)
    actions = read_epic_csv(tmp_path / "list.csv")
    assert [(action.video, action.label) for action in actions] == [(record.path, record.label) for record in records]
    for action, record in zip(actions, records):
        assert action.span_s == pytest.approx(record.span_s, abs=1e-6)
    assert (actions[3].first_frame, actions[3].last_frame) == (30, 60)
    assert note == ""


@pytest.mark.parametrize("fields", [{"span_s": (0.0, 1.0)}, {"frames": ("a.jpg",)}, {"label": [1, 2]}, {"label": None}])
def test_what_does_not_fit(fields):
    text, note = cleaned_list([Record(**{"video_id": 0, "path": "a", "label": 1} | fields)])
    assert text is None
    assert note


def test_names_that_are_not_text():
    text, note = cleaned_list([Record(0, "/data/lat\udce9n.mp4", 1), Record(1, "/data/a.mp4", 1)])
    assert text == "/data/a.mp4 1\n"
    assert "lacks 1 videos" in note


def test_nothing_left():
    assert cleaned_list([]) == ("", "")
