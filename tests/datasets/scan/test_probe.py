"""One video looked at: status, numbers and reason, for files of every sort of damage."""

import csv
import os

import numpy as np
import pytest
from PIL import Image

from slowfast.datasets.scan import probe
from slowfast.datasets.scan.probe import Finding, Task, hash_file, look_at
from slowfast.utils.errors import ReadError
from slowfast.utils.io import sha256_file
from tests.datasets.clips import moving_texture, write_video, x264


def look(path, **options):
    return look_at(Task(str(path), **options), lambda seconds: None)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """24 frames of 96 x 64 px at 25 frames a second, key frames every 12."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return write_video(path, moving_texture(24, 64, 96), fps=25, **x264(keyint=12, bframes=0))


@pytest.mark.parametrize("full", [False, True])
def test_a_good_video(clip, full):
    found = look(clip, full=full)
    assert (found.status, found.reason) == ("ok", "")
    assert (found.frames, found.fps, found.width, found.height) == (24, 25.0, 96, 64)
    assert found.seconds == pytest.approx(24 / 25)
    assert (found.bytes, found.mtime_ns) == (clip.stat().st_size, clip.stat().st_mtime_ns)
    assert found.is_file and found.lasting


@pytest.mark.parametrize("full", [False, True])
def test_footage(reference_dir, full):
    """Frames and upright size as the footage's manifest says."""
    with open(reference_dir / "videos/manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["width"]) <= 480]
    assert len(rows) > 5
    for row in rows:
        found = look(reference_dir / "videos" / row["file"], full=full)
        assert (found.status, found.frames) == ("ok", int(row["frames"])), row["file"]
        turned = abs(float(row["rotation"])) == 90
        size = (int(row["width"]), int(row["height"]))
        assert (found.width, found.height) == (size[::-1] if turned else size), row["file"]


@pytest.mark.parametrize("full", [False, True])
def test_bad_footage(reference_dir, full):
    with open(reference_dir / "videos/bad/manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        found = look(reference_dir / "videos/bad" / row["file"], full=full)
        allowed = {"decodes": ("ok",), "partial": ("ok", "partial", "unreadable"), "unreadable": ("unreadable",)}
        assert found.status in allowed[row["outcome"]], row["file"]
        assert int(row["frames_min"]) <= found.frames <= int(row["frames_max"]), row["file"]
        assert bool(found.reason) == (found.status != "ok"), row["file"]


def test_full_counts_what_decodes(reference_dir):
    """FFmpeg 8.1 decoded 48 frames of this file when bad packets were left out."""
    found = look(reference_dir / "videos/bad/truncated_60_index_first.mp4", full=True)
    assert (found.status, found.frames) == ("partial", 48)
    assert "48,773 of 81,289 bytes" in found.reason


def test_full_finds_damage_between_the_frames_looked_at(clip, tmp_path):
    """The second frame's packet, overwritten: the first, middle and last frame do not need it."""
    import av

    with av.open(str(clip)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][1]
        at, size = packet.pos, packet.size
    content = bytearray(clip.read_bytes())
    content[at + 4 : at + size] = b"\xff" * (size - 4)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(content)
    assert look(path).status == "ok"
    found = look(path, full=True)
    assert found.status == "partial"
    assert found.reason


def test_full_finds_a_hole_in_matroska(tmp_path):
    path = write_video(tmp_path / "clip.mkv", moving_texture(60, 64, 96), **x264(keyint=6))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 1500] = bytes(1500)
    path.write_bytes(content)
    assert look(path, full=True).status == "partial"


def test_missing(tmp_path):
    assert look(tmp_path / "none.mp4").status == "missing"
    os.symlink(tmp_path / "none.mp4", tmp_path / "link.mp4")
    found = look(tmp_path / "link.mp4")
    assert found.status == "missing"
    assert "none.mp4" in found.reason


def test_links_are_followed(clip, tmp_path):
    os.symlink(clip, tmp_path / "link.mp4")
    assert look(tmp_path / "link.mp4").status == "ok"


def test_not_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.symlink("loop.mp4", tmp_path / "loop.mp4")
    os.symlink("/dev/zero", tmp_path / "device.mp4")
    told = {"pipe.mp4": "named pipe", "folder.mp4": "without pictures", "loop.mp4": "symbolic", "device.mp4": "device"}
    for name, text in told.items():
        found = look(tmp_path / name)
        assert found.status == "unreadable"
        assert text in found.reason


def test_no_permission_is_asked_again(clip, monkeypatch):
    """Permission can come back without the file changing, so the answer does not last."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(probe, "open", refuse, raising=False)
    found = look(clip)
    assert (found.status, found.lasting) == ("unreadable", False)
    assert "permission" in found.reason


def test_unchanged(clip):
    state = clip.stat()
    assert look(clip, known=(state.st_size, state.st_mtime_ns)).status is None
    assert look(clip, known=(state.st_size, state.st_mtime_ns + 1)).status == "ok"


def test_large_files_are_given_time(clip):
    given = []
    look_at(Task(str(clip)), given.append)
    look_at(Task(str(clip), full=True), given.append)
    assert given == [clip.stat().st_size / probe.QUICK_RATE, clip.stat().st_size / probe.FULL_RATE]


def test_pictures(tmp_path):
    """A list of five pictures, one of which is not there, and the folder of the other four."""
    names = [str(tmp_path / f"{number}.png") for number in range(5)]
    for number, name in enumerate(names):
        if number != 1:
            Image.fromarray(np.full((20, 30, 3), number, dtype=np.uint8)).save(name)
    whole = look(tmp_path)
    assert (whole.status, whole.frames, whole.width, whole.height) == ("ok", 4, 30, 20)
    assert (whole.fps, whole.seconds, whole.is_file) == (None, None, False)
    found = look("video", frames=tuple(names))
    assert found.status == "partial"
    assert "1 of 5 pictures are missing" in found.reason
    full = look("video", frames=tuple(names), full=True)
    assert (full.status, full.frames) == ("partial", 4)
    assert look("video", frames=(names[1],)).status == "missing"


def test_a_reader_that_gives_nothing(clip, monkeypatch):
    def refuse(path, kind, frames):
        raise ReadError(path, "broken")

    monkeypatch.setattr(probe, "open_reader", refuse)
    found = look(clip)
    assert (found.status, found.frames) == ("unreadable", 0)
    assert found.reason.startswith("broken; ")


def test_hash_file(clip, tmp_path):
    assert hash_file(str(clip), lambda seconds: None) == sha256_file(clip)
    assert hash_file(str(tmp_path / "none"), lambda seconds: None) is None


def test_findings_go_through_a_dict(clip):
    found = look(clip)
    assert Finding(**found.as_dict()) == found
