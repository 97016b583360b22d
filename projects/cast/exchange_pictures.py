"""Pictures of CAST's exchange after a test: a PNG grid and an mp4 a clip, for both directions."""

from pathlib import Path

import av
import cv2
import numpy as np

from projects.cast.exchange_maps import attended_places, attended_times, exchange_maps
from projects.cast.sizes import TUBELET_SIZE
from slowfast.datasets.collate import Sample, collate
from slowfast.datasets.transforms.normalize import Normalize
from slowfast.evaluation.looks import looks_inside
from slowfast.utils.io import atomic_write

PANEL = 112  # px, height and width of a picture in the grid
GAP = 4  # px
FILM_PANEL = 256  # px
FILM_RATE = 4  # frames a second
LABEL = 84  # px, width of the column of texts before a row of pictures
HEAT = 0.75  # share of HEAT_COLOUR in an overlay where the map is largest
HEAT_COLOUR = (255, 96, 0)
LEAST_EXCESS = 0.5  # of the even share; a map that never exceeds it by more stays faint


@looks_inside("CAST")
def draw_exchange(model, cfg, dataset, device):
    """Write OUTPUT_DIR/cross_attention/clip_<video id>.{png,mp4} of the first VIS.CROSS_ATTENTION test clips."""
    texts = []
    if not cfg.VIS.CROSS_ATTENTION:
        return texts
    normalize = Normalize(cfg.DATA.MEAN, cfg.DATA.STD, reverse_channels=cfg.DATA.REVERSE_INPUT_CHANNEL).to(device)
    folder = Path(cfg.OUTPUT_DIR) / "cross_attention"
    for video in range(min(cfg.VIS.CROSS_ATTENTION, dataset.num_videos)):
        sample = dataset[0, video * dataset.num_views + dataset.num_views // 2, None]
        if not isinstance(sample, Sample):
            continue  # unreadable, as the test has said
        frames = collate([sample]).frames.to(device)
        maps = exchange_maps(model, normalize(frames), cfg.VIS.BLOCK)
        pictures = frames[0].permute(1, 2, 3, 0).cpu().numpy()  # (F, H, W, C)
        write_png(folder / f"clip_{video:05d}.png", exchange_grid(pictures, maps))
        write_film(folder / f"clip_{video:05d}.mp4", exchange_film(pictures, maps))
        texts.append(f"cross-attention of {dataset.records[video].path}: {folder}/clip_{video:05d}.png and .mp4")
    return texts


def exchange_grid(frames, maps):
    """One picture: the frames; below each the places that its moment asks; then a row for each asking time: the share
    that each place gives to the time of the column. What exceeds its even share is lit.

    Args:
        frames: uint8 (F, H, W, 3). maps: ExchangeMaps of one clip.
    Returns: uint8 (height, width, 3).
    """
    steps = maps.grid[0]
    seen = [cv2.resize(frame, (PANEL, PANEL)) for frame in frames[1::TUBELET_SIZE]]
    places = attended_places(maps)[0].cpu().numpy()  # (T, S)
    times = maps.times[0].permute(1, 2, 0).cpu().numpy()  # (T asking, T asked, S)
    rows = [seen, _lit_row(seen, excess(places), maps.grid)]
    rows += [_lit_row(seen, asked, maps.grid) for asked in excess(times, axis=1)]
    texts = ["frames", "places asked", *(f"time {step + 1} asks" for step in range(steps))]
    return _tiled([[_text(text), *row] for text, row in zip(texts, rows)])


def exchange_film(frames, maps):
    """Frames of a film over the clip: the frame; the places that its moment asks; how much each place asks for it.

    Args: as exchange_grid. Returns: uint8 (F, height, width, 3); both sides are even.
    """
    places, times = attended_places(maps)[0].cpu().numpy(), attended_times(maps)[0].cpu().numpy()  # (T, S)
    heats = excess(places), excess(times, axis=0)
    film = []
    for index, frame in enumerate(frames):
        step = index // TUBELET_SIZE
        plain = cv2.resize(frame, (FILM_PANEL, FILM_PANEL))
        film.append(_tiled([[plain, *(overlay(plain, heat[step], maps.grid) for heat in heats)]]))
    return np.stack(film)


def excess(weights, axis=-1):
    """How far weights exceed their even share, beside the one that does most: [0, 1], as `weights`.

    Args: axis: over which the weights sum to 1.
    """
    above = (weights * weights.shape[axis] - 1).clip(0)
    return above / max(above.max(), LEAST_EXCESS)


def overlay(frame, heat, grid):
    """A frame (H, W, 3) in which the places (S,) of the patch grid are lit by `heat` in [0, 1]."""
    height, width = frame.shape[:2]
    heat = heat.reshape(grid[1:]).astype(np.float32)
    share = HEAT * cv2.resize(heat, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.uint8(frame * (1 - share) + np.array(HEAT_COLOUR) * share)


def _lit_row(frames, heat, grid):
    return [overlay(frame, places, grid) for frame, places in zip(frames, heat)]


def _text(text):
    """A white picture (PANEL, LABEL, 3) with black words."""
    picture = np.full((PANEL, LABEL, 3), 255, np.uint8)
    return cv2.putText(picture, text, (2, PANEL // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)


def _tiled(rows):
    """Pictures of one height in a row, row by row, with white gaps."""
    framed = [[np.pad(one, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for one in row] for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in framed])


def write_png(path, picture):
    """Args: picture: uint8 (H, W, 3), RGB."""
    encoded = cv2.imencode(".png", picture[..., ::-1])[1]
    atomic_write(path, lambda file: file.write(encoded.tobytes()))


def write_film(path, film):
    """H.264 in mp4 where PyAV has it, else MPEG-4. Args: film: uint8 (F, H, W, 3), RGB."""
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"

    def write(file):
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream(codec, rate=FILM_RATE)
            stream.height, stream.width, stream.pix_fmt = *film.shape[1:3], "yuv420p"
            for picture in film:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
            container.mux(stream.encode())

    atomic_write(path, write)
