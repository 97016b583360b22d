"""What files say of their own length and kind, against files that PyAV has written and that were cut by hand."""

import os

import av
import numpy as np
import pytest

from slowfast.datasets.scan.containers import bytes_promised, cut_short, explain, is_encrypted, lacks_index, what_else
from tests.datasets.clips import moving_texture, write_video

FRAMES = moving_texture(12, 64, 96)
KINDS = [("mp4", "libx264"), ("mov", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """dict ending -> bytes of a whole file; "index first" is an MP4 with its index at the start."""
    folder = tmp_path_factory.mktemp("whole")
    files = {ending: write_video(folder / f"clip.{ending}", FRAMES, codec).read_bytes() for ending, codec in KINDS}
    with av.open(str(folder / "first.mp4"), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for pixels in FRAMES:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    return files | {"index first": (folder / "first.mp4").read_bytes()}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "clip"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("kind", [*(ending for ending, _ in KINDS), "index first"])
def test_whole_files_have_all_they_promise(videos, write, kind):
    path = write(videos[kind])
    assert bytes_promised(path) == len(videos[kind])
    assert cut_short(path) == ""


@pytest.mark.parametrize("kind", [*(ending for ending, _ in KINDS), "index first"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_files_are_found_out(videos, write, kind, share):
    content = videos[kind]
    path = write(content[: int(share * len(content))])
    assert cut_short(path).startswith(f"cut short: {int(share * len(content)):,} of ")


def test_footage_has_all_it_promises(reference_dir):
    for path in sorted((reference_dir / "videos").iterdir()):
        if path.suffix not in (".csv", ".md", ""):
            assert cut_short(path) == "", path


def test_index_at_the_end_is_missing(videos, write):
    path = write(videos["mp4"][: len(videos["mp4"]) * 9 // 10])
    assert lacks_index(path)
    assert "index (moov)" in explain(path, "Invalid data")
    assert not lacks_index(write(videos["mp4"]))
    assert not lacks_index(write(videos["index first"][: len(videos["index first"]) * 9 // 10]))


def test_sizes_beyond_4_gib(write):
    """A box with a size of eight bytes, and one that goes to the end of the file."""
    box = (1).to_bytes(4, "big") + b"mdat" + (1 << 33).to_bytes(8, "big")
    assert bytes_promised(write(b"\0\0\0\x08ftyp" + box + bytes(50))) == 8 + (1 << 33)
    assert bytes_promised(write(b"\0\0\0\x08ftyp" + b"\0\0\0\0mdat" + bytes(50))) == 8 + 8 + 50


def test_live_recordings_promise_nothing(videos, write):
    content = videos["mkv"]
    at = content.index(b"\x18\x53\x80\x67") + 4
    path = write(content[:at] + b"\x01" + b"\xff" * 7 + content[at + 8 : len(content) // 2])
    assert bytes_promised(path) is None
    assert cut_short(path) == ""


@pytest.mark.parametrize("seed", range(20))
def test_rubbish_is_survived(write, seed):
    rng = np.random.default_rng(seed)
    start = [b"", b"\0\0\0\x08ftyp", b"RIFF", b"\x1a\x45\xdf\xa3", b"GIF89a"][seed % 5]
    path = write(start + rng.integers(0, 256, rng.integers(0, 200), dtype=np.uint8).tobytes())
    assert isinstance(explain(path, "why"), str)
    assert isinstance(cut_short(path), str)


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "empty"),
        (bytes(9000), "zeros"),
        (b"<!DOCTYPE html><html>403</html>", "web page"),
        (b"\n <html><body>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b'{"error": "quota"}', "text, not a video"),
        ("Zugriff verweigert für Gäste".encode(), "text, not a video"),
        (b"%PDF-1.4 \xff\xff", "a PDF"),
        (b"PK\3\4\xff\xff\xff", "zip"),
    ],
)
def test_what_is_no_video(write, content, told):
    assert told in what_else(write(content))


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
def test_videos_are_not_taken_for_something_else(videos, write, kind):
    assert what_else(write(videos[kind])) == ""


def test_gif_without_its_end(tmp_path, reference_dir):
    content = (reference_dir / "videos/car_and_cyclist.gif").read_bytes()
    path = tmp_path / "clip.gif"
    path.write_bytes(content[: len(content) // 2])
    assert "end mark" in cut_short(path)


def test_encrypted(tmp_path):
    key = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", options=key) as out:
        stream = out.add_stream("libx264", rate=30)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for pixels in FRAMES:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    assert is_encrypted(path)
    assert explain(path, "Invalid data").startswith("encrypted")


def test_folders_keep_their_reason(tmp_path):
    assert explain(os.fspath(tmp_path), "no pictures") == "no pictures"
