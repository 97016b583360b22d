"""Clips with what is known of them, as a picture to read and a film to watch."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slowfast.utils.io import atomic_write

CELL = 128  # px, side of a frame in the picture
MOST_FRAMES = 16  # of a clip in the picture; of more, evenly chosen ones are shown
FILM_SIDE = 224  # px, side of a clip in the film
FILM_COLUMNS = 4
FILM_FPS = 6
FILM_TURNS = 3  # how often the film shows the clips
PAGE, INK, FAINT, BOX = (255, 255, 255), (30, 30, 30), (110, 110, 110), (255, 64, 32)
_GAP = 3
_TEXT = 13  # px


@dataclass(frozen=True)
class ShownClip:
    """A clip as a model receives it.

    frames: uint8 (T, H, W, 3); numbers: T of them, in the video; source: uint8 (H, W, 3), the stored picture of the
    middle one; box: (y, x, height, width), px of it; title, details: what to write above it.
    """

    frames: np.ndarray
    numbers: list
    source: np.ndarray
    box: tuple
    title: str
    details: str


def draw_sheet(clips, heading):
    """One picture, uint8 (H, W, 3): for each ShownClip its source with the box in it, and its frames."""
    shown = [_shown_frames(len(clip.frames)) for clip in clips]
    width = max(CELL * 16 // 9 + _GAP + len(places) * (CELL + _GAP) for places in shown)
    row = 2 * (_TEXT + 4) + CELL + 3 * _GAP
    page = Image.new("RGB", (width, 2 * _TEXT + len(clips) * row), PAGE)
    pen = ImageDraw.Draw(page)
    pen.text((0, 2), heading, INK, _font(_TEXT + 2))
    for n, (clip, places) in enumerate(zip(clips, shown)):
        top = 2 * _TEXT + n * row
        pen.text((0, top), clip.title, INK, _font(_TEXT))
        pen.text((0, top + _TEXT + 3), clip.details, FAINT, _font(_TEXT - 1))
        top += 2 * (_TEXT + 4)
        page.paste(_source_with_box(clip), (0, top))
        for column, place in enumerate(places):
            cell = Image.fromarray(clip.frames[place]).resize((CELL, CELL), Image.BILINEAR)
            _number(cell, clip.numbers[place])
            page.paste(cell, (CELL * 16 // 9 + _GAP + column * (CELL + _GAP), top))
    return np.asarray(page)


def film_frames(clips):
    """The clips side by side, uint8 (T, H, W, 3), even sides; shorter clips stay at their last frame."""
    columns = min(FILM_COLUMNS, len(clips))
    rows, cell = -(-len(clips) // columns), FILM_SIDE + 2 * (_TEXT + 5)
    film = []
    for t in range(max(len(clip.frames) for clip in clips)):
        page = Image.new("RGB", (columns * (FILM_SIDE + 4), rows * cell + rows * cell % 2), PAGE)
        pen = ImageDraw.Draw(page)
        for n, clip in enumerate(clips):
            place, (row, column) = min(t, len(clip.frames) - 1), divmod(n, columns)
            corner = (column * (FILM_SIDE + 4), row * cell)
            page.paste(Image.fromarray(clip.frames[place]).resize((FILM_SIDE, FILM_SIDE), Image.BILINEAR), corner)
            below = (corner[0] + 2, corner[1] + FILM_SIDE + 2)
            pen.text(below, _fit(clip.title, FILM_SIDE), INK, _font(_TEXT))
            pen.text((below[0], below[1] + _TEXT + 3), f"frame {clip.numbers[place]}", FAINT, _font(_TEXT - 1))
        film.append(np.asarray(page))
    return np.stack(film)


def write_film(path, frames):
    """An H.264 film that shows the frames a few times over. Args: path: replaced whole; frames: of `film_frames`."""

    def write(file):
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(FILM_FPS), options={"crf": "18"})
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
            for pixels in np.concatenate([frames] * FILM_TURNS):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))

    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, write)


def _shown_frames(count):
    return np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int)).tolist()


def _source_with_box(clip):
    """The stored picture in CELL px of height, at most 16:9 of width, with the crop's outline."""
    height, width = clip.source.shape[:2]
    scale = min(CELL / height, CELL * 16 / 9 / width)
    picture = Image.fromarray(clip.source).resize((round(width * scale), round(height * scale)), Image.BILINEAR)
    y, x, h, w = (side * scale for side in clip.box)
    ImageDraw.Draw(picture).rectangle(
        (x, y, min(x + w, picture.width) - 1, min(y + h, picture.height) - 1), None, BOX, 2
    )
    return picture


def _number(cell, number):
    pen, text = ImageDraw.Draw(cell), str(number)
    pen.rectangle((0, 0, pen.textlength(text, _font(_TEXT - 2)) + 4, _TEXT), (0, 0, 0))
    pen.text((2, 0), text, (255, 255, 255), _font(_TEXT - 2))


def _fit(text, width):
    while text and _font(_TEXT).getlength(text) > width:
        text = text[:-2].rstrip(" .") + "…" if not text.endswith("…") else text[:-2].rstrip() + "…"
    return text


def _font(size):
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
