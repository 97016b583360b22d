"""PyAVReader: the frames of a full decode, with no more decoding than they need."""

import contextlib
import csv
import json
import os
import subprocess
import sys

import av
import numpy as np
import pytest

from slowfast.datasets.readers import PyAVReader, open_reader, video
from slowfast.utils.errors import ReadError
from tests.datasets.clips import decode_all, moving_texture, write_video, x264

HEIGHT, WIDTH, LENGTH = 48, 80, 90

ENCODINGS = {
    "no_b_frames.mp4": ("libx264", x264(keyint=30, bframes=0)),
    "b_pyramid.mp4": ("libx264", x264(keyint=40, bframes=5, b_pyramid="normal", b_adapt=0)),
    "open_gop.mkv": ("libx264", x264(keyint=25, bframes=4, open_gop=1, b_adapt=0)),
    "one_key_frame.mp4": ("libx264", x264(keyint=1000, bframes=3)),
    "key_frame_every_2.mp4": ("libx264", x264(keyint=2, min_keyint=1, bframes=2)),
    "no_display_times.avi": ("libx264", x264(keyint=30, bframes=3)),
    "hevc_leading_pictures.mp4": ("libx265", {"x265_params": "keyint=25:bframes=4:open-gop=1:log-level=none"}),
    "vp9.webm": ("libvpx-vp9", {"gop": 40, "lag_in_frames": 16, "auto_alt_ref": 1}),
    "vp8.webm": ("libvpx", {"gop": 40}),
    "mpeg2.mpg": ("mpeg2video", {"gop": 12, "max_b_frames": 2}),
    "mpeg2.ts": ("mpeg2video", {"gop": 12, "max_b_frames": 2}),
    "mpeg4.avi": ("mpeg4", {"gop": 15, "max_b_frames": 2}),
    "motion_jpeg.avi": ("mjpeg", {"pix_fmt": "yuvj420p"}),
}


@pytest.fixture(scope="module")
def frames():
    return moving_texture(LENGTH, HEIGHT, WIDTH)


def selections(length, seed=0):
    """A strided clip; far apart, unsorted and repeated; the last frame; any four."""
    rng = np.random.default_rng(seed)
    start = int(rng.integers(0, max(1, length // 2)))
    clip = np.minimum(start + 3 * np.arange(11), length - 1)
    return [clip, [length // 2, 0, length // 2], [length - 1], rng.integers(0, length, 4)]


def check_against_full_decode(path, quarter_turns=0, seed=0, num_selections=4):
    with open_reader(path) as reader:
        chosen = selections(len(reader), seed)[:num_selections]
        length, expected = decode_all(path, keep={int(i) for indices in chosen for i in indices})
        assert len(reader) == len(reader.timestamps) == length, path
        for indices in chosen:
            got = reader.get(indices)
            want = np.stack([np.rot90(expected[int(i)], quarter_turns) for i in indices])
            assert got.dtype == np.uint8 and np.array_equal(got, want), (path, indices)
        assert reader.size == (got.shape[2], got.shape[1])
        return reader


@pytest.mark.parametrize("name", ENCODINGS)
def test_equals_full_decode(name, frames, tmp_path):
    codec, options = ENCODINGS[name]
    if name == "mpeg2.mpg":
        options = {**options, "fps": 25}
    reader = check_against_full_decode(write_video(tmp_path / name, frames, codec, **options))
    assert reader.size == (WIDTH, HEIGHT)
    assert reader.fps == pytest.approx(options.get("fps", 30), rel=1e-3)


def test_footage_equals_full_decode(reference_dir):
    """Length and rotation from manifest.csv, pixels from a full decode."""
    with open(reference_dir / "videos/manifest.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    for number, row in enumerate(rows):
        path = reference_dir / "videos" / row["file"]
        reader = check_against_full_decode(path, int(row["rotation"]) // 90, seed=number, num_selections=2)
        assert len(reader) == int(row["frames"]), row["file"]
        if row["variable_frame_rate"] == "no" and "gif" not in row["file"] and "editlist" not in row["file"]:
            assert reader.fps == pytest.approx(float(row["fps"]), rel=2e-3), row["file"]


def test_a_seek_that_misleads_is_noticed(frames, tmp_path, monkeypatch):
    """MPEG program streams give other times after a seek: the reader must see that and start over."""
    path = write_video(tmp_path / "clip.mpg", frames, "mpeg2video", gop=12, max_b_frames=2, fps=25)
    monkeypatch.setattr(video, "_SEEK_MISLEADS", ())
    check_against_full_decode(path)


def test_decodes_no_more_than_needed(frames, tmp_path):
    """Key frames every 30 frames and no B-frames: frame n needs n % 30 + 1 frames, counted by hand."""
    path = write_video(tmp_path / "clip.mp4", frames, **x264(keyint=30, min_keyint=30, bframes=0))
    with open_reader(path) as reader:
        assert reader.frames_decoded == 0
        for indices, expected in (
            ([0], 1),
            ([37], 8),
            ([32, 34, 41], 12),
            ([41, 32, 34, 32], 12),
            ([3, 64], 4 + 5),
            ([25, 35], 26 + 6),
            ([29, 30], 31),
            ([0, 30, 60], 3),
            (range(90), 90),
        ):
            before = reader.frames_decoded
            reader.get(indices)
            assert reader.frames_decoded - before == expected, indices


def test_leaves_out_unreferenced_b_frames(frames, tmp_path):
    """With 3 B-frames in a row and no pyramid, those that are not wanted need not be decoded: 3 of 4 frames."""
    path = write_video(tmp_path / "clip.mp4", frames, **x264(keyint=100, bframes=3, b_adapt=0, b_pyramid="none"))
    with open_reader(path) as reader:
        reader.get([78])
        assert 79 // 4 <= reader.frames_decoded <= 79 // 4 + 4


def test_converts_only_what_is_kept(frames, tmp_path, monkeypatch):
    converted = []

    class Counting:
        def __init__(self, reformatter=video.VideoReformatter):
            self.reformatter = reformatter()

        def reformat(self, *args, **kwargs):
            converted.append(1)
            return self.reformatter.reformat(*args, **kwargs)

    monkeypatch.setattr(video, "VideoReformatter", Counting)
    with open_reader(write_video(tmp_path / "clip.mp4", frames, **x264(keyint=100))) as reader:
        reader.get([70, 5, 70, 33])
    assert len(converted) == 3


def test_frame_n_is_the_nth_shown(frames, tmp_path):
    """The encoded pictures themselves are the reference: each decoded frame is nearest to its own original."""
    path = write_video(tmp_path / "clip.mp4", frames, **x264(keyint=40, bframes=5, crf=10))
    with open_reader(path) as reader:
        chosen = [0, 7, 38, 41, 66, 89]
        for n, pixels in zip(chosen, reader.get(chosen)):
            distance = np.abs(frames.astype(int) - pixels).mean(axis=(1, 2, 3))
            assert distance.argmin() == n


def test_timestamps_and_mean_rate_of_uneven_frames(frames, tmp_path):
    times = [0, 1, 2, 10, 11, 20]
    path = write_video(tmp_path / "clip.mp4", frames[:6], fps=20, times=times, **x264(bframes=0))
    with open_reader(path) as reader:
        assert reader.timestamps == pytest.approx(np.array(times) / 20)
        assert reader.fps == pytest.approx(5 / (20 / 20))


def test_short_side(frames, tmp_path):
    """Sizes by hand: 48 x 80 with a short side of 31 is 31 x floor(80 * 31 / 48)."""
    with open_reader(write_video(tmp_path / "clip.mp4", frames[:4])) as reader:
        assert reader.get([2, 0, 3], short_side=31).shape == (3, 31, 51, 3)
        assert reader.get([1]).shape == (1, 48, 80, 3)
        assert reader.size == (80, 48)


def test_hidden_pictures_are_no_frames(frames, tmp_path):
    """VP8 pictures without the show_frame bit (RFC 6386, 9.1) are decoded and not shown."""
    source = write_video(tmp_path / "source.webm", frames[:20], "libvpx", gop=100)
    path = tmp_path / "hidden.webm"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(given.demux(given.streams.video[0])):
            if packet.size:
                data = bytearray(bytes(packet))
                data[0] &= ~0x10 if number in (4, 9) else 0xFF
                copy = av.Packet(bytes(data))
                copy.pts, copy.dts, copy.time_base, copy.stream = packet.pts, packet.dts, packet.time_base, stream
                copy.is_keyframe = packet.is_keyframe
                made.mux(copy)
    assert len(check_against_full_decode(path)) == 18


def test_a_stream_that_starts_within_a_group_of_pictures(frames, tmp_path):
    """Cut without re-encoding: what comes before the first key frame cannot be decoded and does not count."""
    source = write_video(tmp_path / "source.mkv", frames, **x264(keyint=40, min_keyint=40, bframes=2))
    path = tmp_path / "cut.mkv"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in list(given.demux(given.streams.video[0]))[25:-1]:
            packet.stream = stream
            made.mux(packet)
    assert len(check_against_full_decode(path)) == LENGTH - 40


READ_ALL = """
import json, sys
from slowfast.datasets.readers import open_reader
from slowfast.utils.errors import ReadError
outcome = {}
for path in sys.argv[1:]:
    try:
        with open_reader(path) as reader:
            outcome[path] = len(reader.get(range(len(reader))))
    except ReadError as error:
        outcome[path] = str(error)
print(json.dumps(outcome))
"""


def test_bad_files(reference_dir, repo):
    """Outcomes from bad/manifest.csv; in a process of its own, so that a hang or a crash would be seen."""
    with open(reference_dir / "videos/bad/manifest.csv") as file:
        rows = list(csv.DictReader(file))
    paths = [str(reference_dir / "videos/bad" / row["file"]) for row in rows]
    command = [sys.executable, "-c", READ_ALL, *paths]
    run = subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True, timeout=120)
    outcomes = json.loads(run.stdout)
    assert len(rows) == 8
    for row, path in zip(rows, paths):
        outcome = outcomes[path]
        if isinstance(outcome, int):
            assert row["outcome"] != "unreadable", path
            assert int(row["frames_min"]) <= outcome <= int(row["frames_max"]), path
        else:
            assert row["outcome"] != "decodes" and path in outcome, path


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(5, "Input/output error"), av.error.EOFError(1, "End of file")]
)
def test_whatever_the_decoder_raises_names_the_file(error, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(video.av, "open", fail)
    with pytest.raises(ReadError, match=r"some clip\.mp4") as caught:
        open_reader(tmp_path / "some clip.mp4")
    assert caught.value.reason and caught.value.path.endswith("some clip.mp4")


def test_damage_in_the_middle(frames, tmp_path):
    """The frames before the damage can be read; a frame that the damage hits is reported, not made up."""
    path = write_video(tmp_path / "clip.mp4", frames, **x264(keyint=10, min_keyint=10, bframes=0))
    with open_reader(path) as reader:
        intact = reader.get([5])
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    position, size = packets[42]
    data[position : position + size] = bytes([0xFF]) * size
    path.write_bytes(data)
    with open_reader(path) as reader:
        assert np.array_equal(reader.get([5]), intact)
        assert reader.get([55]).shape == (1, HEIGHT, WIDTH, 3)
        with pytest.raises(ReadError, match=r"clip\.mp4"):
            reader.get([42])
        assert np.array_equal(reader.get([5]), intact)


def test_a_picture_that_the_decoder_had_to_guess_is_not_handed_out(tmp_path):
    """Which picture that is, the decoder itself tells: FFmpeg's mark of concealed errors in a full decode."""
    path = write_video(tmp_path / "clip.mp4", moving_texture(30, 112, 208), **x264(keyint=10, min_keyint=10, crf=10))
    with av.open(str(path)) as container:
        position, size = next((p.pos, p.size) for n, p in enumerate(container.demux(video=0)) if n == 15)
    intact, marked = path.read_bytes(), []
    for start in range(position + 20, position + size - 20, 20):
        path.write_bytes(intact[:start] + bytes([0xFF]) * 20 + intact[start + 20 :])
        with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):
            marked = [n for n, frame in enumerate(container.decode(video=0)) if frame.is_corrupt]
        if marked:
            break
    assert marked, "no place was found whose damage the decoder conceals"
    with open_reader(path) as reader, pytest.raises(ReadError, match=r"clip\.mp4: frame \d+ .* damaged"):
        reader.get(marked)


def test_no_file_stays_open(frames, tmp_path):
    good = write_video(tmp_path / "clip.mp4", frames[:9])
    bad = tmp_path / "text.mp4"
    bad.write_text("not a video")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with open_reader(good) as reader:
            reader.get([3])
        with pytest.raises(ReadError):
            open_reader(bad)
    assert len(os.listdir("/proc/self/fd")) == before


def test_indices_outside_are_the_callers_mistake(frames, tmp_path):
    with open_reader(write_video(tmp_path / "clip.mp4", frames[:7])) as reader:
        for indices in ([7], [-1], []):
            with pytest.raises(IndexError, match=r"clip\.mp4"):
                reader.get(indices)


def test_kinds(frames, tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames[:5])
    for kind in ("auto", "pyav"):
        with open_reader(path, kind) as reader:
            assert isinstance(reader, PyAVReader)


def test_pictures_that_build_on_a_damaged_one_are_not_handed_out(tmp_path):
    """One key frame, damage at picture 15: what the decoder marks (see above) and all that follows are refused."""
    path = write_video(tmp_path / "clip.mp4", moving_texture(30, 112, 208), **x264(keyint=100, bframes=0, crf=10))
    with av.open(str(path)) as container:
        position, size = next((p.pos, p.size) for n, p in enumerate(container.demux(video=0)) if n == 15)
    intact = path.read_bytes()
    for start in range(position + 20, position + size - 20, 20):
        path.write_bytes(intact[:start] + bytes([0xFF]) * 20 + intact[start + 20 :])
        with av.open(str(path)) as container, contextlib.suppress(av.error.InvalidDataError):
            if any(frame.is_corrupt for frame in container.decode(video=0)):
                break
    else:
        pytest.fail("no place was found whose damage the decoder conceals")
    with open_reader(path) as reader:
        assert reader.get([14]).shape == (1, 112, 208, 3)
        with pytest.raises(ReadError, match="damaged"):
            reader.get([29])


def test_only_files_are_opened(frames, tmp_path):
    """A named pipe would be waited for without end; a playlist would lead to other places."""
    os.mkfifo(tmp_path / "pipe.mp4")
    write_video(tmp_path / "clip.mp4", frames[:5])
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")
    session = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    (tmp_path / "session.mp4").write_text(session + "a=rtpmap:96 H264/90000\n")
    for name in ("pipe.mp4", "list.mp4", "session.mp4", "missing.mp4", "nul\0.mp4", "latin\udce9.mp4"):
        with pytest.raises(ReadError):
            open_reader(tmp_path / name, "pyav")


@pytest.mark.parametrize("name", ["12:30.mp4", "file name, with 'all' \"sorts\"\nof %03d é 猫 #?.mp4", "-.mp4"])
def test_names_are_taken_as_they_are(name, frames, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", frames[:5])
    os.rename("clip.mp4", name)
    with open_reader(name) as reader:
        assert len(reader) == 5


def test_a_cover_picture_is_no_video(frames, tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100)
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        container.mux(cover.encode(av.VideoFrame.from_ndarray(frames[0], format="rgb24")))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 4608), np.int16), format="s16p", layout="stereo")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence) + sound.encode(None))
    with pytest.raises(ReadError, match="no video stream"):
        open_reader(tmp_path / "song.mp3")


def test_a_header_that_claims_a_giant_picture(frames, tmp_path):
    """Width and height in an AVI follow the tag "strf" of the stream's format (BITMAPINFOHEADER)."""
    path = write_video(tmp_path / "clip.avi", frames[:5], "ffv1", pix_fmt="yuv420p")
    data = bytearray(path.read_bytes())
    place = data.index(b"strf") + 12
    data[place : place + 8] = (60000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(ReadError, match=r"clip\.avi"), open_reader(path) as reader:
        reader.get([0])
