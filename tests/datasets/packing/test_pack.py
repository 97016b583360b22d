"""Packing: what is in the packs, what a kill leaves, what cannot be read; frames against a full decode and Pillow."""

import csv
import io
import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from slowfast.datasets.annotations import Record, read_kinetics_csv
from slowfast.datasets.packing import pack
from slowfast.datasets.packing.encode import chosen_frames, encode_video
from slowfast.datasets.packing.pack import Packer, pack_lists
from slowfast.datasets.readers import hdf5, open_reader
from slowfast.utils.errors import UserError
from tests.datasets.clips import decode_all, moving_texture, write_video, x264

OPTIONS = {"layout": "shards", "shard_bytes": 1 << 30, "short_side": 32, "quality": 90, "fps": None}
NAMES = ("a/one.mp4", "a/two, and a half.mp4", "b/three.mp4", "b/bad.mp4")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(exist_ok=True)
        write_video(folder / name, moving_texture(12 + number, 48, 64, seed=number), fps=10, **x264(keyint=5))
    (folder / "b/bad.mp4").write_text("not a video")
    return folder


@pytest.fixture
def serial(monkeypatch):
    """Encode in this process: guarded workers have tests of their own."""

    def run(function, tasks, **_):
        for task in tasks:
            yield task, *function(task, lambda seconds: None)

    monkeypatch.setattr(pack, "run_guarded", run)
    yield
    hdf5.close_packs()


def lists(videos):
    records = [Record(row, str(videos / name), row % 2) for row, name in enumerate(NAMES)]
    return [("train.csv", records[:2], NAMES[:2]), ("val.csv", records[1:], NAMES[1:])]


def test_packs_of_all_layouts(videos, serial, tmp_path):
    for layout in pack.LAYOUTS:
        out = tmp_path / layout
        assert pack_lists(lists(videos), out, workers=1, verify=True, **{**OPTIONS, "layout": layout}) == 1
        train, val = (read_kinetics_csv(out / name) for name in ("train.csv", "val.csv"))
        assert [len(rows) for rows in (train, val)] == [2, 2] and [row.label for row in val] == [1, 0]
        for row, name in zip(train, NAMES):
            with open_reader(row.path) as packed, open_reader(videos / name) as source:
                assert (len(packed), packed.fps, packed.size) == (len(source), 10.0, (42, 32))
                wanted = [5, 0, 11]
                expected = source.get(wanted, short_side=32).astype(int)
                assert np.abs(packed.get(wanted) - expected).mean() < 6
        manifest = json.loads((out / "manifest.json").read_text())
        assert manifest["num_videos"] == 3 and manifest["num_frames"] == 12 + 13 + 14
        rows = list(csv.reader(open(out / "unreadable.csv")))
        assert rows[0] == ["path", "reason"] and rows[1][0] == str(videos / "b/bad.mp4") and len(rows) == 2
        assert not (out / ".parts").exists()
    assert (tmp_path / "per_video/a/one.h5").is_file() and (tmp_path / "single/pack.h5").is_file()


def test_elements_are_jpeg_of_the_asked_quality(videos, tmp_path):
    task = {
        "path": str(videos / NAMES[0]),
        "part": str(tmp_path / "p.h5"),
        "short_side": None,
        "quality": 70,
        "fps": None,
    }
    written, reason = encode_video(task, lambda seconds: None)
    assert reason == "" and (written["width"], written["height"], written["frames"]) == (64, 48, 12)
    with h5py.File(tmp_path / "p.h5") as file:
        data = file["frames"][3].tobytes()
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG"
    _, pixels = decode_all(videos / NAMES[0], keep={3})
    assert np.abs(np.asarray(picture).astype(int) - pixels[3]).mean() < 9
    encode_video({**task, "quality": 95}, lambda seconds: None)
    with h5py.File(tmp_path / "p.h5") as file:
        assert len(file["frames"][3]) > 1.5 * len(data)


class _KilledError(Exception):
    """Stands for a kill: nothing after it is done."""


def test_a_kill_at_any_place_costs_at_most_the_running_videos(videos, serial, tmp_path, monkeypatch):
    """Killed after each video and around each shard; what is there is whole, and the end is as without kills."""
    options = {**OPTIONS, "shard_bytes": 1}  # a shard a video
    arguments = {"workers": 1, "verify": True, **options}
    encoded = []

    def killed_after(number):
        def encode(task, allow):
            if len(encoded) == number:
                raise _KilledError
            encoded.append(task["path"])
            return encode_video(task, allow)

        return encode

    with monkeypatch.context() as patch:
        for number in (1, 2):
            patch.setattr(pack, "encode_video", killed_after(number))
            with pytest.raises(_KilledError):
                pack_lists(lists(videos)[:1] + lists(videos)[1:], tmp_path / "out", **arguments)
            done = json.loads((tmp_path / "out/manifest.json").read_text())["num_videos"]
            assert done == number == len(set(encoded)) == len(encoded)
    with monkeypatch.context() as patch:  # the shard is written, the manifest not
        patch.setattr(Packer, "_write_manifest", lambda self: (_ for _ in ()).throw(_KilledError))
        with pytest.raises(_KilledError):
            pack_lists(lists(videos), tmp_path / "out", **arguments)
    assert json.loads((tmp_path / "out/manifest.json").read_text())["num_videos"] == 2
    (tmp_path / "out/.tmp.1.x").write_text("half a file")
    assert pack_lists(lists(videos), tmp_path / "out", **arguments) == 1
    assert json.loads((tmp_path / "out/manifest.json").read_text())["num_videos"] == 3
    assert not (tmp_path / "out/.tmp.1.x").exists() and len(list((tmp_path / "out").glob("*.h5"))) == 3


def test_verification_finds_what_was_changed(videos, serial, tmp_path):
    pack_lists(lists(videos), tmp_path, workers=1, verify=False, **OPTIONS)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    shard = tmp_path / "shard_00000.h5"
    data = bytearray(shard.read_bytes())
    with h5py.File(shard) as file:
        frame = file[manifest["shards"][0]["videos"][1]["key"]][4].tobytes()
    place = data.index(frame) + len(frame) // 2
    data[place] ^= 0x55
    shard.write_bytes(data)
    wrong = pack.verify_packs(tmp_path, manifest["shards"])
    assert len(wrong) == 1 and "two" in wrong[0][0]


def test_other_options_need_another_folder(videos, serial, tmp_path):
    pack_lists(lists(videos), tmp_path, workers=1, verify=False, **OPTIONS)
    with pytest.raises(UserError, match=r"begun with --quality 90; use that, or another --out"):
        pack_lists(lists(videos), tmp_path, workers=1, verify=False, **{**OPTIONS, "quality": 50})
    (tmp_path / "shard_00000.h5").write_bytes(b"cut")
    with pytest.raises(UserError, match=r"is not as .* says"):
        pack_lists(lists(videos), tmp_path, workers=1, verify=False, **OPTIONS)


def test_one_run_a_folder(tmp_path):
    with pack.output_folder(tmp_path), pytest.raises(UserError, match="another run works in this folder"):
        with pack.output_folder(tmp_path):
            pass


def test_fewer_frames(videos, tmp_path):
    """10 frames a second, 12 frames, last at 1.1 s: at 4 a second those on show at 0, 0.25, 0.5, 0.75, 1 s."""
    with open_reader(videos / NAMES[0]) as reader:
        indices, fps = chosen_frames(reader, 4)
        assert (indices.tolist(), fps) == ([0, 2, 5, 7, 10], 4.0)
        assert chosen_frames(reader, 10)[0].tolist() == chosen_frames(reader, 60)[0].tolist() == list(range(12))


def test_times_of_a_varying_rate_are_kept(tmp_path):
    times = [0, 1, 2, 10, 11, 20]
    path = write_video(tmp_path / "v.mp4", moving_texture(6, 32, 48), fps=20, times=times, **x264(bframes=0))
    task = {"path": str(path), "part": str(tmp_path / "p.h5"), "short_side": 32, "quality": 90, "fps": None}
    encode_video(task, lambda seconds: None)
    with open_reader(tmp_path / "p.h5") as reader:
        assert np.allclose(reader.timestamps, np.array(times) / 20)


def test_workers(videos, tmp_path):
    """Through guarded processes, once."""
    shutil.copy(videos / NAMES[0], tmp_path / "x.mp4")
    records = [Record(0, str(tmp_path / "x.mp4"), 0), Record(1, str(videos / NAMES[3]), 1)]
    given = [("train.csv", records, ["x.mp4", "bad.mp4"])]
    assert pack_lists(given, tmp_path / "out", workers=2, verify=True, **OPTIONS) == 1
    assert (tmp_path / "out/train.csv").read_text() == "shard_00000.h5/x.mp4,0\n"
