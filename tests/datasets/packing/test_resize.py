"""Smaller copies: sizes by hand, pictures and times against the source."""

import os

import av
import numpy as np
import pytest

from slowfast.datasets.annotations import Record
from slowfast.datasets.packing import resize
from slowfast.datasets.packing.resize import even_size, resize_all, resize_video
from slowfast.datasets.readers import open_reader
from slowfast.utils.errors import UserError
from tests.datasets.clips import moving_texture, write_video, x264

OPTIONS = {"short_side": 32, "height": None, "fps": None, "crf": 10, "key_frames": 8}


@pytest.mark.parametrize(
    ("size", "short_side", "height", "expected"),
    [
        ((640, 360), 256, None, (456, 256)),
        ((360, 640), 256, None, (256, 456)),
        ((340, 256), 320, None, (340, 256)),
        ((427, 240), None, 240, (428, 240)),
        ((1280, 720), None, 240, (426, 240)),
        ((720, 1280), None, 240, (136, 240)),
        ((161, 121), None, 240, (160, 120)),
    ],
)
def test_sizes(size, short_side, height, expected):
    assert even_size(size, short_side, height) == expected


def test_a_copy(tmp_path):
    """Frames at uneven times; the copy shows the same pictures at the same times, with key frames as asked."""
    times = [0, 1, 2, 10, 11, 20, *range(21, 39)]
    source = write_video(tmp_path / "v.mkv", moving_texture(24, 96, 130), fps=20, times=times, **x264(keyint=99))
    task = {"path": str(source), "out": str(tmp_path / "out/v.mp4"), **OPTIONS}
    assert resize_video(task, lambda seconds: None) == ({"frames": 24, "width": 44, "height": 32}, "")
    with open_reader(source) as reader, open_reader(tmp_path / "out/v.mp4") as copy:
        assert copy.size == (44, 32)
        assert np.allclose(copy.timestamps - copy.timestamps[0], np.array(times) / 20, atol=1e-3)
        wanted = range(24)
        small = reader.get(wanted, short_side=32)[:, :, :43].astype(int)
        near = [np.abs(small - picture[:, :43]).mean(axis=(1, 2, 3)).argmin() for picture in copy.get(wanted)]
        assert near == list(wanted)
    with av.open(str(tmp_path / "out/v.mp4")) as container:
        keys = [n for n, frame in enumerate(container.decode(video=0)) if frame.key_frame]
        assert container.streams.video[0].codec_context.name == "h264" and not container.streams.audio
    assert max(np.diff([*keys, 24])) <= 8


@pytest.fixture
def serial(monkeypatch):
    calls = []

    def run(function, tasks, **_):
        for task in tasks:
            calls.append(os.path.basename(task["path"]))
            yield task, *function(task, lambda seconds: None)

    monkeypatch.setattr(resize, "run_guarded", run)
    return calls


def test_a_set(serial, tmp_path):
    """Lists follow; a second run does only what is new; what cannot be read is told and tried again."""
    (tmp_path / "in").mkdir()
    for name in ("a.webm", "b.mp4"):
        codec = "libvpx" if name.endswith("webm") else "libx264"
        write_video(tmp_path / "in" / name, moving_texture(8, 48, 64), codec)
    (tmp_path / "in/bad.mp4").write_text("no video")
    names = {str(tmp_path / "in" / name): f"sub/{name}" for name in ("a.webm", "b.mp4", "bad.mp4")}
    lists = [("train.csv", [Record(row, path, row) for row, path in enumerate(names)])]
    for expected in (["a.webm", "b.mp4", "bad.mp4"], ["bad.mp4"]):
        serial.clear()
        assert resize_all(names, tmp_path / "out", lists=lists, workers=1, **OPTIONS) == 1
        assert serial == expected
        assert (tmp_path / "out/train.csv").read_text() == "sub/a.mp4,0\nsub/b.mp4,1\n"
        assert "bad.mp4" in (tmp_path / "out/unreadable.csv").read_text()
    with pytest.raises(UserError, match="begun with --crf 10"):
        resize_all(names, tmp_path / "out", lists=lists, workers=1, **{**OPTIONS, "crf": 30})
    with pytest.raises(UserError, match="differ only in their ending"):
        resize_all({"a.webm": "a.webm", "a.mp4": "a.mp4"}, tmp_path / "out2", lists=[], workers=1, **OPTIONS)


def test_a_failure_leaves_no_half_file(tmp_path, monkeypatch):
    source = write_video(tmp_path / "v.mp4", moving_texture(8, 48, 64))
    monkeypatch.setattr(resize, "CHUNK", 4)
    asked = []

    def fail_later(seconds):
        asked.append(seconds)
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resize_video({"path": str(source), "out": str(tmp_path / "out/v.mp4"), **OPTIONS}, fail_later)
    assert list((tmp_path / "out").iterdir()) == []
