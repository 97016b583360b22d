"""Lists of videos: the formats that exist, and what is said of those that do not fit."""

import csv
import io
import logging

import pytest

from slowfast.datasets.annotations import Record, read_kinetics_csv
from slowfast.utils.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_list(text, name="train.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_list


def read(path, **kwargs):
    return [(record.path, record.label) for record in read_kinetics_csv(path, **{"prefix": "/v", **kwargs})]


@pytest.mark.parametrize("separator", [" ", ",", "\t"])
@pytest.mark.parametrize("chosen", [True, False])
def test_separators(write, separator, chosen):
    path = write(f"a.mp4{separator}3\n\nsub/b.mp4{separator}12\n")
    expected = [Record(0, "/v/a.mp4", 3), Record(1, "/v/sub/b.mp4", 12)]
    assert read_kinetics_csv(path, "/v", separator if chosen else "auto") == expected


@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_column_of_frame_numbers(write, separator):
    path = write(separator.join(["a.mp4", "300", "4"]) + "\n" + separator.join(["b.mp4", "7", "0"]))
    assert read(path) == [("/v/a.mp4", 4), ("/v/b.mp4", 0)]


def test_paths_that_contain_the_separator(write):
    assert read(write("my first clip.mp4 5\nb.mp4 6\n")) == [("/v/my first clip.mp4", 5), ("/v/b.mp4", 6)]
    assert read(write("take 2 5\ntake 13 6\nb.mp4 6\n")) == [("/v/take 2", 5), ("/v/take 13", 6), ("/v/b.mp4", 6)]
    assert read(write('"name with spaces, comma.mp4",5\nb.mp4,6')) == [
        ("/v/name with spaces, comma.mp4", 5),
        ("/v/b.mp4", 6),
    ]
    assert read(write("name with spaces, comma.mp4,5\n")) == [("/v/name with spaces, comma.mp4", 5)]
    assert read(write("name with spaces, comma.mp4 5\nb.mp4 6\n")) == [
        ("/v/name with spaces, comma.mp4", 5),
        ("/v/b.mp4", 6),
    ]


def test_byte_order_mark_and_windows_line_ends(write):
    assert read(write("\ufeffa.mp4 1\r\nb.mp4 2\r\n")) == [("/v/a.mp4", 1), ("/v/b.mp4", 2)]


def test_where_relative_paths_start(write, tmp_path):
    path = write("clips/a.mp4 1\n/elsewhere/b.mp4 0\n")
    assert read(path, prefix="") == [("clips/a.mp4", 1), ("/elsewhere/b.mp4", 0)]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").touch()
    assert read(path, prefix="") == [(str(tmp_path / "clips/a.mp4"), 1), ("/elsewhere/b.mp4", 0)]
    assert read(path, prefix="/v") == [("/v/clips/a.mp4", 1), ("/elsewhere/b.mp4", 0)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.mp4 1\nb.mp4\n", r"train\.csv:2: got 'b\.mp4', expected a path, a space and a whole number"),
        ("a.mp4 1\nb.mp4 cat\n", r"train\.csv:2: got 'b\.mp4 cat'.*DATA\.PATH_LABEL_SEPARATOR"),
        ("a.mp4 1\n\nb.mp4 1.5\nc.mp4 x\n", r"train\.csv:3: .*1 more line"),
        ("a.mp4 1\nb.mp4 7\n", r"train\.csv:2: label 7 is out of range, expected 0 to 6 \(MODEL\.NUM_CLASSES 7\)"),
        ("a.mp4 -1\n", r"train\.csv:1: label -1 is out of range"),
        ("one,two\na.mp4,1\n", r"train\.csv:1: got 'one,two', expected a path, a comma and"),
        ("path,label\n", r"train\.csv:1: got 'path,label', expected a path"),
        ('a.mp4 1\n"b.mp4 2\nc.mp4 3\n', r"train\.csv:2: a double quote is opened and never closed"),
        ("\n\n", r"train\.csv: the list is empty"),
    ],
)
def test_lines_that_do_not_fit(write, text, told):
    with pytest.raises(UserError, match=told):
        read_kinetics_csv(write(text), num_classes=7)


@pytest.mark.parametrize(
    "text", ["path,label\na.mp4,1\n", "video frames label\na.mp4 30 1\n", '"Path"\t"Class"\na.mp4\t1']
)
def test_header(write, text):
    assert read_kinetics_csv(write(text), "/v") == [Record(0, "/v/a.mp4", 1)]


def test_names_of_any_characters(write):
    """As Python's csv module writes them."""
    names = ["a, b.mp4", 'c "d".mp4', "two\nlines.mp4", "é 猫\u2028.mp4", "e\x85f.mp4"]
    with io.StringIO() as text:
        csv.writer(text).writerows([name, 3] for name in names)
        path = write(text.getvalue())
    assert read(path) == [(f"/v/{name}", 3) for name in names]


def test_labels_that_are_spelt_out(write):
    ids = {"jump": 2, "run fast": 0}
    assert read(write("a.mp4,jump\nb.mp4,run fast\nc.mp4,1\n"), class_ids=ids) == [
        ("/v/a.mp4", 2),
        ("/v/b.mp4", 0),
        ("/v/c.mp4", 1),
    ]
    with pytest.raises(UserError, match=r"train\.csv:2: got 'b\.mp4,walk'"):
        read(write("a.mp4,jump\nb.mp4,walk\n"), class_ids=ids)


def test_bad_lines_may_be_skipped(write, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    path = write("a.mp4 1\nb.mp4\nc.mp4 9\nd.mp4 2\n")
    records = read_kinetics_csv(path, "/v", num_classes=3, skip_bad_lines=True)
    assert records == [Record(0, "/v/a.mp4", 1), Record(1, "/v/d.mp4", 2)]
    assert "train.csv:2: got 'b.mp4'" in caplog.text and "2 line(s) skipped" in caplog.text
    with pytest.raises(UserError, match=r"train\.csv:1:"):
        read_kinetics_csv(write("a.mp4\n"), skip_bad_lines=True)


def test_given_separator_is_the_only_one(write):
    with pytest.raises(UserError, match=r"train\.csv:1: got 'a\.mp4 1', expected a path, a comma"):
        read_kinetics_csv(write("a.mp4 1\n"), separator=",")


def test_not_a_text_file(write, tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(UserError, match=r"train\.csv: not a text file"):
        read_kinetics_csv(path)


def test_real_list(reference_dir):
    """Against clips.csv, which holds the same clips and labels in another format."""
    folder = reference_dir / "realset"
    with open(folder / "clips.csv") as file:
        rows = list(csv.DictReader(file))
    for split, number in (("train", 37), ("val", 21)):
        records = read_kinetics_csv(folder / f"{split}.csv", num_classes=5)
        expected = {(str(folder / row["path"]), int(row["label"])) for row in rows if row["split"] == split}
        assert {(record.path, record.label) for record in records} == expected
        assert [record.video_id for record in records] == list(range(number))
