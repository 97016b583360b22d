"""Packs in all the layouts that exist, against Pillow; many processes, few open files."""

import multiprocessing
import os

import h5py
import numpy as np
import pytest

from slowfast.datasets.readers import hdf5, open_reader
from slowfast.utils.errors import ReadError
from tests.datasets.clips import moving_texture
from tests.datasets.readers.test_frames import encode, pillow

LENGTH = 9


@pytest.fixture(scope="module")
def jpegs():
    return [encode(frame, quality=90) for frame in moving_texture(LENGTH, 40, 66)]


@pytest.fixture(scope="module")
def pixels(jpegs):
    return np.stack([pillow(data) for data in jpegs])


def add(file, key, jpegs, **attributes):
    frames = file.create_dataset(key, (len(jpegs),), dtype=h5py.vlen_dtype(np.uint8))
    for number, data in enumerate(jpegs):
        frames[number] = np.frombuffer(data, np.uint8)
    frames.attrs.update(attributes)


@pytest.fixture
def pack(tmp_path, jpegs):
    """All videos in one file, as XViT keeps Something-Something."""
    with h5py.File(tmp_path / "pack.h5", "w") as file:
        add(file, "101", jpegs)
        add(file, "7", jpegs[::-1], fps=12.5)
        add(file, "group/x", jpegs[:3], fps=10.0, timestamps=np.array([0.0, 0.1, 0.9]))
        file["rows"] = np.stack([np.frombuffer(data.ljust(9000, b"\0"), np.uint8) for data in jpegs])
    return tmp_path / "pack.h5"


@pytest.mark.parametrize("kind", ["auto", "hdf5"])
def test_one_file_for_all(kind, pack, pixels):
    for key, expected in (("101", pixels), ("7", pixels[::-1]), ("group/x", pixels[:3]), ("rows", pixels)):
        with open_reader(pack / key, kind) as reader:
            assert len(reader) == len(expected) and reader.size == (66, 40)
            wanted = [2, 0, 2, 1]
            assert np.array_equal(reader.get(wanted), expected[wanted]), key
            assert reader.get([1], short_side=20).shape == (1, 20, 33, 3)
            with pytest.raises(IndexError):
                reader.get([len(expected)])


def test_one_file_each(tmp_path, jpegs, pixels):
    """The first key counts, whatever it is called."""
    with h5py.File(tmp_path / "video.h5", "w") as file:
        add(file, "zz", jpegs[:2])
        add(file, "any name", jpegs)
    with open_reader(tmp_path / "video.h5") as reader:
        assert np.array_equal(reader.get(range(LENGTH)), pixels)


def test_rates_and_times(pack):
    with open_reader(pack / "101") as reader:
        assert reader.fps is None and reader.timestamps is None
    with open_reader(pack / "7") as reader:
        assert reader.fps == 12.5 and np.allclose(reader.timestamps, np.arange(LENGTH) * 0.08)
    with open_reader(pack / "group/x") as reader:
        assert reader.fps == 10 and reader.timestamps.tolist() == [0.0, 0.1, 0.9]


def test_what_cannot_be_read_is_named(pack, tmp_path, jpegs):
    (tmp_path / "text.h5").write_text("not a pack")
    (tmp_path / "empty.h5").touch()
    os.mkfifo(tmp_path / "pipe.h5")
    with h5py.File(tmp_path / "none.h5", "w") as file:
        file.create_dataset("no_frames", (0,), dtype=h5py.vlen_dtype(np.uint8))
    with h5py.File(tmp_path / "bare.h5", "w"):
        pass
    with h5py.File(tmp_path / "cut.h5", "w") as file:
        add(file, "v", [*jpegs[:4], jpegs[4][:99]])
    cut = pack.read_bytes()
    (tmp_path / "half.h5").write_bytes(cut[: len(cut) // 2])
    names = [
        "text.h5",
        "empty.h5",
        "pipe.h5",
        "none.h5",
        "bare.h5",
        "half.h5",
        "missing.h5",
        "pack.h5/102",
        "pack.h5/group",
    ]
    for name in names:
        with pytest.raises(ReadError, match=name):
            open_reader(tmp_path / name)
    with open_reader(tmp_path / "cut.h5") as reader, pytest.raises(ReadError, match=r"cut\.h5: frame 4"):
        reader.get([3, 4])


def test_others_may_open_the_same_file(pack):
    """HDF5 refuses a second opening with other locks in one process."""
    with open_reader(pack / "101") as reader, h5py.File(pack, "r") as file:
        assert reader.get([0]).shape[0] == 1 and len(file["101"]) == LENGTH


def test_few_files_stay_open(tmp_path, jpegs):
    for number in range(5):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            add(file, "v", jpegs[:1])
    packs = hdf5.OpenPacks(limit=3)
    before = len(os.listdir("/proc/self/fd"))
    files = [packs.get(str(tmp_path / f"{number}.h5")) for number in (0, 1, 2, 0, 3, 4)]
    assert len(os.listdir("/proc/self/fd")) == before + 3
    assert files[0] is files[3] and files[0].id.valid and not files[1].id.valid
    packs.close()
    assert len(os.listdir("/proc/self/fd")) == before


def _sum_frames(arguments):
    path, number = arguments
    with open_reader(path) as reader:
        return int(reader.get([number]).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_many_processes(method, pack, pixels):
    """The parent has the file open and has read from it; each child opens its own."""
    with open_reader(pack / "101") as reader:
        reader.get([0])
        tasks = [(str(pack / "101"), number % LENGTH) for number in range(40)]
        with multiprocessing.get_context(method).Pool(2) as pool:
            sums = pool.map(_sum_frames, tasks, chunksize=1)
        assert sums == [int(pixels[number].sum()) for _, number in tasks]
        assert np.array_equal(reader.get([3]), pixels[[3]])
