"""Lines judged: too short, listed twice, leaks, labels out of range; worked out by hand."""

import pytest

from slowfast.datasets.annotations import Record
from slowfast.datasets.scan.probe import Finding
from slowfast.datasets.scan.scan import Video
from slowfast.datasets.scan.verdicts import judge, label_problem, printable


def ok(frames=30, **fields):
    return Finding(
        "ok", frames=frames, fps=10.0, width=4, height=2, seconds=frames / 10, bytes=5, is_file=True, **fields
    )


def judged(splits, findings=None, hashes=None, **options):
    """splits: dict split -> list of (path, label); findings: by path, 30 good frames else; hashes: by path."""
    records = {s: [Record(row, *line) for row, line in enumerate(lines)] for s, lines in splits.items()}
    videos = {Video(record.path) for lines in records.values() for record in lines}
    found = {video: (findings or {}).get(video.path, ok()) for video in videos}
    contents = {Video(path): digest for path, digest in (hashes or {}).items()}
    return judge(records, found, contents, **options)


def statuses(verdicts):
    return [verdict.status for verdict in verdicts]


def test_what_was_found_is_passed_on():
    bad = Finding("unreadable", "the file is empty", frames=0, bytes=0)
    verdicts = judged({"val": [("a", 3), ("b", 1)]}, {"b": bad})
    assert verdicts[0].as_dict() == {
        **{"path": "a", "split": "val", "label": 3, "status": "ok", "frames": 30, "fps": 10.0},
        **{"width": 4, "height": 2, "seconds": 3.0, "reason": "", "bytes": 5},
    }
    assert (verdicts[1].status, verdicts[1].as_dict()["reason"]) == ("unreadable", "the file is empty")


def test_too_short():
    verdicts = judged({"train": [("a", 0), ("b", 0)]}, {"a": ok(15), "b": ok(16)}, min_frames=16)
    assert statuses(verdicts) == ["too_short", "ok"]
    assert "15 frames, 16 are wanted" in verdicts[0].reasons[0]


def test_listed_twice():
    verdicts = judged({"train": [("a", 0), ("b", 0), ("a", 0)]})
    assert statuses(verdicts) == ["ok", "ok", "duplicate"]


def test_equal_content_in_one_split():
    verdicts = judged({"train": [("a", 0), ("b", 0), ("c", 0)]}, hashes={"a": "x", "b": "y", "c": "x"})
    assert statuses(verdicts) == ["ok", "ok", "duplicate"]
    assert verdicts[2].reasons == ["the same content as a"]


def test_equal_content_with_other_labels_leaves_out_both():
    verdicts = judged({"train": [("a", 0), ("b", 1)]}, hashes={"a": "x", "b": "x"})
    assert statuses(verdicts) == ["duplicate", "duplicate"]
    assert all("one of them is wrong" in verdict.reasons[0] for verdict in verdicts)


@pytest.mark.parametrize("first", ["train", "val"])
def test_a_leak_is_taken_out_of_training(first):
    """Whichever comes first: the evaluated set stays what it is, the training set gives way."""
    order = ["train", "val"] if first == "train" else ["val", "train"]
    lines = {"train": [("a", 0), ("b", 0)], "val": [("c", 0)]}
    verdicts = judged({split: lines[split] for split in order}, hashes={"b": "x", "c": "x"})
    by_path = {verdict.record.path: verdict for verdict in verdicts}
    assert {path: verdict.status for path, verdict in by_path.items()} == {"a": "ok", "b": "duplicate", "c": "ok"}
    assert by_path["b"].leak == "val"
    assert "a leak" in by_path["b"].reasons[0]
    assert "c in val" in by_path["b"].reasons[0]


def test_one_list_for_validation_and_test():
    verdicts = judged({"train": [("a", 0)], "val": [("b", 0), ("c", 0)], "test": [("b", 0), ("c", 0)]})
    assert statuses(verdicts) == ["ok"] * 5


def test_equal_content_in_validation_and_test():
    verdicts = judged({"val": [("b", 0)], "test": [("c", 0)]}, hashes={"b": "x", "c": "x"})
    assert statuses(verdicts) == ["ok", "duplicate"]
    assert verdicts[1].leak == ""


def test_a_broken_copy_stays_broken_and_leaks():
    partial = Finding("partial", "cut short", frames=4, bytes=5, is_file=True)
    verdicts = judged({"train": [("a", 0)], "val": [("a", 0)]}, {"a": partial})
    assert statuses(verdicts) == ["partial", "partial"]
    assert verdicts[0].leak == "val"
    assert verdicts[0].as_dict()["reason"].startswith("cut short; a leak")


def test_pieces_of_one_video():
    """Pieces differ by their span; one is partly, one wholly beyond the end of 3 s."""
    spans = [(0.0, 1.0), (1.0, 2.5), (2.5, 4.0), (3.5, 5.0), (0.0, 1.0)]
    records = [Record(row, "a", (1, 2), span_s=span) for row, span in enumerate(spans)]
    verdicts = judge({"train": records}, {Video("a"): ok()}, {}, min_frames=4)
    assert statuses(verdicts) == ["ok", "ok", "ok", "too_short", "duplicate"]
    assert [verdict.frames for verdict in verdicts] == [10, 15, 5, 0, 10]
    assert "the video ends at 3.0 s" in verdicts[3].reasons[0]


def test_pieces_of_folders_of_pictures():
    """No times there: 40 pictures, the piece from number 30 to 50 has ten of them."""
    pictures = Finding("ok", frames=40, width=4, height=2)
    record = Record(0, "a", 1, span_s=(1.0, 2.0), span_frames=(30, 50))
    assert judge({"train": [record]}, {Video("a"): pictures}, {})[0].frames == 10


def test_rates_from_the_list():
    pictures = Finding("ok", frames=24, width=4, height=2)
    verdict = judge({"train": [Record(0, "a", 1, fps=12.0)]}, {Video("a"): pictures}, {})[0]
    assert (verdict.fps, verdict.seconds) == (12.0, 2.0)


@pytest.mark.parametrize(
    "label, num_classes, wrong",
    [
        (4, 5, None),
        (5, 5, 5),
        (-1, 5, -1),
        (-1, None, -1),
        (99, None, None),
        (None, 5, None),
        ((96, 299), (97, 300), None),
        ((97, 1), (97, 300), 97),
        ((1, 300), (97, 300), 300),
        ((96, 299), 5, None),
        ([0, 4], 5, None),
        ([0, 5], 5, 5),
        ([], 5, None),
        ([(2, 0.5, 1.5), (7, 2.0, 3.0)], 5, 7),
    ],
)
def test_labels(label, num_classes, wrong):
    problem = label_problem(label, num_classes)
    assert problem.startswith(f"label {wrong} is out of range") if wrong is not None else problem == ""


def test_a_wrong_label_leaves_the_video_well():
    verdict = judged({"train": [("a", 7)]}, num_classes=5)[0]
    assert (verdict.status, verdict.is_well) == ("ok", False)
    assert "0 to 4" in verdict.as_dict()["reason"]


@pytest.mark.parametrize("path, text", [("a b/é.mp4", "a b/é.mp4"), ("a\nb", "a\\nb"), ("lat\udce9n", "lat\\udce9n")])
def test_printable(path, text):
    assert printable(path) == text
