"""Pictures as videos, against Pillow alone."""

import io

import numpy as np
import pytest
from PIL import Image

from slowfast.datasets.readers import FramesReader, open_reader, pictures
from slowfast.utils.errors import ReadError
from tests.datasets.clips import moving_texture

HEIGHT, WIDTH = 48, 82


@pytest.fixture(scope="module")
def frames():
    return moving_texture(12, HEIGHT, WIDTH)


def encode(frame, kind="JPEG", mode="RGB", **options):
    with io.BytesIO() as file:
        Image.fromarray(frame).convert(mode).save(file, kind, **options)
        return file.getvalue()


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.fixture(params=["simplejpeg", "cv2"])
def decoder(request, monkeypatch):
    if request.param == "cv2":
        monkeypatch.setattr(pictures, "simplejpeg", None)
    else:
        pytest.importorskip("simplejpeg")


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 90},
        {"quality": 90, "subsampling": 0},
        {"quality": 50, "progressive": True},
        {"quality": 90, "mode": "L"},
        {"kind": "PNG"},
        {"kind": "PNG", "mode": "RGBA"},
        {"kind": "PNG", "mode": "L"},
        {"kind": "BMP"},
        {"kind": "WEBP", "lossless": True},
    ],
)
def test_pixels_are_pillows(options, frames, decoder):
    data = encode(frames[0], **options)
    assert np.array_equal(pictures.decode_picture(data), pillow(data))
    assert np.array_equal(pictures.decode_picture(np.frombuffer(data + bytes(9000), np.uint8)), pillow(data))


def test_four_inks(frames, decoder):
    """Printers' JPEG: colours are a matter of taste, so only near to Pillow's."""
    data = encode(frames[0], mode="CMYK", quality=95)
    assert np.abs(pictures.decode_picture(data).astype(int) - pillow(data)).mean() < 12


def test_orientation_is_not_applied(frames, decoder):
    """As Pillow's convert: training pictures are taken as they are stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(frames[0], quality=90, exif=exif)
    assert np.array_equal(pictures.decode_picture(data), pillow(data))


@pytest.mark.parametrize("short_side", [12, 20, 24, 48, 60])
def test_scaled(short_side, frames, decoder):
    """Size by hand: floor(82 * s / 48); pixels near to Pillow's area average."""
    data = encode(frames[3], quality=95)
    got = pictures.decode_picture(data, short_side)
    assert got.shape == (short_side, 82 * short_side // 48, 3)
    if short_side < 48:
        want = Image.open(io.BytesIO(data)).resize(got.shape[1::-1], Image.Resampling.BOX)
        assert np.abs(got.astype(int) - np.asarray(want)).mean() < 8


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "header"])
def test_damage_is_told(damage, frames, decoder, tmp_path):
    data = encode(frames[0], quality=90)
    data = {"cut": data[: len(data) // 2], "empty": b"", "text": b"not a picture", "header": data[:200]}[damage]
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(data if number == 1 else encode(frames[0]))
    with open_reader(tmp_path) as reader:
        assert reader.get([0, 2]).shape == (2, HEIGHT, WIDTH, 3)
        with pytest.raises(ReadError, match="frame 1"):
            reader.get([0, 1])


def test_folder(frames, tmp_path):
    """Numbers order the names, whatever their digits; other files are no frames."""
    for number in range(12):
        (tmp_path / f"frame_{number}.png").write_bytes(encode(frames[number], "PNG"))
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".frame_3.png").touch()
    for kind in ("auto", "frames"):
        with open_reader(tmp_path, kind) as reader:
            assert (len(reader), reader.size, reader.fps, reader.timestamps) == (12, (WIDTH, HEIGHT), None, None)
            assert np.array_equal(reader.get([11, 2, 11, 0]), frames[[11, 2, 11, 0]])
    with pytest.raises(IndexError):
        reader.get([12])


def test_list_of_paths_and_a_single_picture(frames, tmp_path):
    for name, frame in (("b.png", frames[0]), ("a.png", frames[1])):
        (tmp_path / name).write_bytes(encode(frame, "PNG"))
    with open_reader("some video", frames=[str(tmp_path / "b.png"), str(tmp_path / "a.png")]) as reader:
        assert np.array_equal(reader.get([0, 1]), frames[:2])
    with open_reader(tmp_path / "a.png") as reader:
        assert len(reader) == 1 and np.array_equal(reader.get([0, 0])[1], frames[1])


def test_what_is_no_video_of_pictures(frames, tmp_path):
    with pytest.raises(ReadError, match="without pictures"):
        open_reader(tmp_path, "frames")
    with pytest.raises(ReadError, match="No such file"):
        open_reader(tmp_path / "missing", "frames")
    with pytest.raises(ReadError, match=r"1\.jpg"):
        FramesReader("v", [tmp_path / "1.jpg"]).get([0])
    (tmp_path / "0.png").write_bytes(encode(frames[0], "PNG"))
    (tmp_path / "1.png").write_bytes(encode(frames[0][:20], "PNG"))
    with open_reader(tmp_path) as reader, pytest.raises(ReadError, match="frame 1 is 82 x 20 px, frame 0 82 x 48 px"):
        reader.get([0, 1])
