"""Pictures and films of clips: what is where."""

import av
import numpy as np

from slowfast.evaluation.sheets import BOX, CELL, FILM_SIDE, FILM_TURNS, ShownClip, draw_sheet, film_frames, write_film


def shown(frames=5, value=200):
    clip = np.full((frames, 32, 32, 3), value, np.uint8)
    clip[..., 0] = np.arange(frames)[:, None, None] * 10
    source = np.full((60, 80, 3), 40, np.uint8)
    return ShownClip(clip, [7 * n for n in range(frames)], source, (15.0, 20.0, 30.0, 40.0), "0.70 run", "frames 0 7")


def test_sheet():
    """A row a clip: below two lines of text the source with the crop's outline, then the frames."""
    page = draw_sheet([shown(), shown(3)], "heading")
    rows = np.flatnonzero((page == np.array(BOX)).all(axis=-1).any(axis=1))
    height = CELL * 30 // 60  # the source's 60 px are CELL high
    assert rows[-1] - rows[0] > height and page.shape[1] > CELL * 16 // 9 + 5 * CELL
    columns = np.flatnonzero((page == np.array(BOX)).all(axis=-1).any(axis=0))
    scale = CELL / 60
    assert abs(columns[0] - 20 * scale) <= 1 and abs(columns[-1] - 60 * scale) <= 2
    last = page[rows[0] + height // 2, CELL * 16 // 9 + 4 * (CELL + 3) + CELL // 2]
    assert last.tolist() == [40, 200, 200]  # the fifth frame of the first clip


def test_many_frames_are_chosen_evenly():
    assert draw_sheet([shown(64)], "").shape[1] == draw_sheet([shown(16)], "").shape[1]


def test_film(tmp_path):
    """Clips side by side, shown a few times over; the shorter one stays at its end."""
    frames = film_frames([shown(4, 90), shown(2, 200)])
    assert frames.shape[0] == 4 and frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    centre = FILM_SIDE // 2
    assert [page[centre, centre].tolist()[0] for page in frames] == [0, 10, 20, 30]
    assert [page[centre, centre + FILM_SIDE].tolist()[0] for page in frames] == [0, 10, 10, 10]
    write_film(tmp_path / "out/film.mp4", frames)
    with av.open(str(tmp_path / "out/film.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == FILM_TURNS * 4 and pictures[0].shape == frames[0].shape
    assert np.abs(pictures[6].astype(int) - frames[2]).mean() < 6
