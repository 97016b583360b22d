"""torchcodec's reader against PyAV's, where the extra and FFmpeg are there; what is said where they are not."""

import numpy as np
import pytest

from slowfast.datasets.readers import TorchCodecReader, open_reader, torchcodec
from slowfast.utils.errors import ReadError, UserError
from tests.datasets.clips import moving_texture, write_video, x264


@pytest.fixture
def available():
    try:
        torchcodec.check_torchcodec()
    except UserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    "reason", [ImportError("no module"), RuntimeError("Could not load libtorchcodec. Likely: ...")]
)
def test_what_is_missing_is_said_in_one_line(reason, monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise reason

    monkeypatch.setattr(torchcodec, "_open", fail)
    torchcodec.check_torchcodec.cache_clear()
    with pytest.raises(UserError, match=r"DATA\.READER torchcodec: .*pip install torchcodec.*pyav") as caught:
        open_reader(tmp_path / "clip.mp4", "torchcodec")
    assert "\n" not in str(caught.value) and not isinstance(caught.value, ReadError)
    torchcodec.check_torchcodec.cache_clear()


def test_same_frames_as_pyav(available, tmp_path):
    path = write_video(tmp_path / "clip.mp4", moving_texture(60, 48, 80), **x264(keyint=25, bframes=3))
    with open_reader(path, "torchcodec") as reader, open_reader(path, "pyav") as expected:
        assert isinstance(reader, TorchCodecReader)
        assert (len(reader), reader.fps, reader.size) == (60, expected.fps, (80, 48))
        wanted = [59, 3, 17, 3]
        assert np.abs(reader.get(wanted).astype(int) - expected.get(wanted)).max() <= 2
        assert reader.get([5], short_side=24).shape == (1, 24, 40, 3)
        with pytest.raises(IndexError):
            reader.get([60])


def test_rotation_and_edit_list(available, reference_dir):
    for name in (
        "keyboard_three_frames_rot90.mov",
        "room_pan_to_dog_rot180_vfr.mp4",
        "rooftops_hevc10_editlist_rot.mp4",
    ):
        path = reference_dir / "videos" / name
        with open_reader(path, "torchcodec") as reader, open_reader(path, "pyav") as expected:
            assert len(reader) == len(expected) and reader.size == expected.size
            wanted = [0, len(reader) - 1]
            assert np.abs(reader.get(wanted).astype(int) - expected.get(wanted)).mean() < 3, name


def test_bad_files(available, reference_dir):
    for name in ("zero_bytes.mp4", "text_file.mp4", "audio_only.mp4", "truncated_50_index_at_end.mp4"):
        with pytest.raises(ReadError, match=name):
            open_reader(reference_dir / "videos/bad" / name, "torchcodec")
