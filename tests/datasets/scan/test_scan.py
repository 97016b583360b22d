"""A set scanned: bad files stop nothing, nothing is looked at twice, equal content is found."""

import json
import os
import shutil

import pytest

from slowfast.datasets.annotations import Record
from slowfast.datasets.scan.journal import Journal
from slowfast.datasets.scan.probe import Finding
from slowfast.datasets.scan.scan import ScanOptions, Video, distinct_videos, hash_all, look_at_all, same_size
from slowfast.utils.errors import UserError
from tests.datasets.clips import moving_texture, write_video
from tests.datasets.scan.hostile import look_at

OPTIONS = ScanOptions(workers=2, seconds=2, memory_mb=300)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", moving_texture(8, 32, 48))


def scan(paths, journal, options=OPTIONS):
    found = look_at_all([Video(str(path)) for path in paths], options, journal, look_at)
    return {os.path.basename(video.path): finding for video, finding in found}


def test_hostile_files_and_good_ones(clip, tmp_path):
    names = ["sleeps.mp4", "good1.mp4", "allocates.mp4", "crashes.mp4", "good2.mp4", "confuses.mp4", "good3.mp4"]
    for name in names:
        shutil.copy(clip, tmp_path / name)
    os.mkfifo(tmp_path / "pipe.mp4")
    with Journal(tmp_path / "out/journal", OPTIONS.judged_by()) as journal:
        found = scan([*(tmp_path / name for name in names), tmp_path / "pipe.mp4", tmp_path / "none.mp4"], journal)
    assert {name for name, finding in found.items() if finding.status == "ok"} == {
        "good1.mp4",
        "good2.mp4",
        "good3.mp4",
    }
    told = {
        "sleeps.mp4": "--timeout",
        "allocates.mp4": "--memory",
        "crashes.mp4": "SIGSEGV",
        "confuses.mp4": "could not broadcast",
        "pipe.mp4": "named pipe",
    }
    for name, text in told.items():
        assert found[name].status == "unreadable"
        assert text in found[name].reason
    assert found["none.mp4"].status == "missing"


def test_nothing_is_looked_at_twice(clip, tmp_path):
    """The journal's word is taken for files that have not changed since; here it is a lie, to see that it is."""
    paths = [tmp_path / f"{number}.mp4" for number in range(3)]
    for path in paths:
        shutil.copy(clip, path)
    with Journal(tmp_path / "out/journal", OPTIONS.judged_by()) as journal:
        assert {finding.frames for finding in scan(paths, journal).values()} == {8}
    lines = (tmp_path / "out/journal").read_text().replace('"frames": 8', '"frames": 77')
    (tmp_path / "out/journal").write_text(lines)
    os.utime(paths[1], ns=(1, 1))
    with Journal(tmp_path / "out/journal", OPTIONS.judged_by()) as journal:
        found = scan(paths, journal)
    assert {name: finding.frames for name, finding in found.items()} == {"0.mp4": 77, "1.mp4": 8, "2.mp4": 77}


@pytest.mark.parametrize("change", [{"full": True}, {"reader": "pyav"}])
def test_other_options_look_again(clip, tmp_path, change):
    with Journal(tmp_path / "journal", OPTIONS.judged_by()) as journal:
        scan([clip], journal)
    options = ScanOptions(workers=1, **change)
    with Journal(tmp_path / "journal", options.judged_by()) as journal:
        assert journal.finding(str(clip)) is None


def test_what_may_pass_is_not_remembered(clip, tmp_path):
    """A file that hung may have hung with its disk."""
    shutil.copy(clip, tmp_path / "crashes.mp4")
    with Journal(tmp_path / "journal", OPTIONS.judged_by()) as journal:
        scan([tmp_path / "crashes.mp4", tmp_path / "none.mp4"], journal)
    with Journal(tmp_path / "journal", OPTIONS.judged_by()) as journal:
        assert journal.finding(str(tmp_path / "crashes.mp4")) is None


def test_a_journal_cut_anywhere_still_counts(tmp_path):
    """A kill can leave half a line behind."""
    with Journal(tmp_path / "journal", {}) as journal:
        for number in range(3):
            journal.add_finding(f"{number}.mp4", Finding("ok", frames=number, bytes=1, mtime_ns=2))
    content = (tmp_path / "journal").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content)):
        path = tmp_path / "cut"
        path.write_bytes(content[:cut])
        with Journal(path, {}) as journal:
            known = [number for number in range(3) if journal.finding(f"{number}.mp4")]
            journal.add_finding("new.mp4", Finding("ok"))
        assert known == [number for number in range(3) if ends[number] <= cut + 1]
        with Journal(path, {}) as journal:
            assert journal.finding("new.mp4") == Finding("ok")


def test_missing_files_are_asked_for_again(clip, tmp_path):
    path = tmp_path / "late.mp4"
    for expected in ("missing", "ok"):
        with Journal(tmp_path / "journal", OPTIONS.judged_by()) as journal:
            assert scan([path], journal)["late.mp4"].status == expected
        shutil.copy(clip, path)


def test_a_journal_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--out"):
        Journal(tmp_path / "file/journal", {})


def test_equal_content(clip, tmp_path):
    """Sizes first: only files that share theirs are read for their hash; it is remembered as well."""
    content = clip.read_bytes()
    other = content[:-1] + bytes([content[-1] ^ 1])
    files = {"a.mp4": content, "b.mp4": content, "c.mp4": other, "d.mp4": content + b"\0" * 20}
    videos = {}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        videos[name] = Video(str(tmp_path / name))
    findings = {
        video: Finding("ok", bytes=len(files[name]), mtime_ns=1, is_file=True) for name, video in videos.items()
    }
    findings[Video("pack.h5/key")] = Finding("ok", bytes=len(content), mtime_ns=1)
    findings[Video("broken")] = Finding("unreadable", bytes=len(content), mtime_ns=1, is_file=True)
    alike = same_size(findings)
    assert alike == [videos["a.mp4"], videos["b.mp4"], videos["c.mp4"]]
    for _ in range(2):
        with Journal(tmp_path / "journal", {}) as journal:
            hashes = dict(hash_all(alike, findings, OPTIONS, journal))
        assert hashes[videos["a.mp4"]] == hashes[videos["b.mp4"]] != hashes[videos["c.mp4"]]
    assert len((tmp_path / "journal").read_text().splitlines()) == 3
    assert all(len(json.loads(line)["sha256"]) == 64 for line in (tmp_path / "journal").read_text().splitlines())


def test_every_video_once():
    records = [Record(0, "a", 1), Record(1, "b", 1), Record(2, "a", 2), Record(3, "c", 1, frames=("1", "2"))]
    assert distinct_videos(records) == [Video("a"), Video("b"), Video("c", ("1", "2"))]
