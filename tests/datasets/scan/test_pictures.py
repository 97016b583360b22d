"""What a decode from end to end, or three frames, say against what a reader promises: readers that lie on purpose."""

import pytest

from slowfast.datasets.scan.pictures import Pictures, check_pictures
from slowfast.utils.errors import ReadError
from tests.datasets.clips import moving_texture, write_video


class Reader:
    """Promises `number` frames, of which those of `lost` cannot be read."""

    def __init__(self, number, lost=()):
        self.number = number
        self.lost = set(lost)
        self.asked = []

    def __len__(self):
        return self.number

    def get(self, frames):
        self.asked.append(list(frames))
        if self.lost & set(frames):
            raise ReadError("clip", "damaged")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", moving_texture(9, 32, 48))


@pytest.mark.parametrize("number, looked_at", [(1, [0]), (2, [0, 1]), (9, [0, 4, 8]), (10, [0, 5, 9])])
def test_first_middle_last(clip, number, looked_at):
    reader = Reader(number)
    assert check_pictures(clip, reader, full=False) == Pictures(number, True)
    assert reader.asked == [looked_at]


@pytest.mark.parametrize(
    "number, lost, any_come, told",
    [
        (9, [8], True, "frame 8 cannot be read (damaged)"),
        (9, [0, 4], True, "frames 0, 4 cannot be read (damaged)"),
        (9, [0, 4, 8], False, "none of frames 0, 4, 8 can be read (damaged)"),
        (1, [0], False, "frame 0 cannot be read (damaged)"),
    ],
)
def test_lost_frames(clip, number, lost, any_come, told):
    assert check_pictures(clip, Reader(number, lost), full=False) == Pictures(number, any_come, (told,))


def test_full_agrees(clip):
    assert check_pictures(clip, Reader(9), full=True) == Pictures(9, True)


@pytest.mark.parametrize("number", [8, 10])
def test_full_counts_for_itself(clip, number):
    """A reader that promises another number of frames than come out."""
    found = check_pictures(clip, Reader(number), full=True)
    assert found == Pictures(9, True, (f"9 of the {number} frames that are announced come out",))


def test_full_also_asks_the_reader(clip):
    found = check_pictures(clip, Reader(9, [4]), full=True)
    assert found == Pictures(9, True, ("frame 4 cannot be read (damaged)",))


def test_full_asks_where_the_picture_changes_its_size(tmp_path):
    """Two H.264 streams in one file, of 5 frames each; a reader stumbles over the second one's first frame."""
    parts = [
        write_video(tmp_path / f"{height}.h264", moving_texture(5, height, 48), bf=0).read_bytes()
        for height in (32, 64)
    ]
    path = tmp_path / "both.mp4"
    path.write_bytes(b"".join(parts))
    found = check_pictures(path, Reader(10, [4]), full=True)
    assert found.frames == 10
    assert "frame 4 cannot be read" in found.problems[0]


def test_full_without_a_file():
    """Folders of pictures, packs: frame by frame through the reader."""
    assert check_pictures("pack.h5/key", Reader(6), full=True) == Pictures(6, True)
    found = check_pictures("pack.h5/key", Reader(6, [2, 5]), full=True)
    assert found == Pictures(4, True, ("2 of 6 frames cannot be read, the first is frame 2 (damaged)",))
    assert not check_pictures("pack.h5/key", Reader(2, [0, 1]), full=True).any_come
