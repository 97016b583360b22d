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
HEAT = 0.55  # share of the map in an overlay where it is largest


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
    that each place gives to the time of the column.

    Args:
        frames: uint8 (F, H, W, 3). maps: ExchangeMaps of one clip.
    Returns: uint8 (height, width, 3).
    """
    steps = maps.grid[0]
    seen = [cv2.resize(frame, (PANEL, PANEL)) for frame in frames[1::TUBELET_SIZE]]
    places = attended_places(maps)[0].cpu().numpy()  # (T, S)
    times = maps.times[0].permute(1, 2, 0).cpu().numpy()  # (T asking, T asked, S)
    rows = [seen, [overlay(seen[t], places[t], maps.grid, places.max()) for t in range(steps)]]
    rows += [[overlay(seen[u], times[t, u], maps.grid, times.max()) for u in range(steps)] for t in range(steps)]
    return _tiled(rows)


def exchange_film(frames, maps):
    """Frames of a film over the clip: the frame; the places that its moment asks; how much each place asks for it.

    Args: as exchange_grid. Returns: uint8 (F, height, width, 3); both sides are even.
    """
    places, times = attended_places(maps)[0].cpu().numpy(), attended_times(maps)[0].cpu().numpy()  # (T, S)
    film = []
    for index, frame in enumerate(frames):
        step = index // TUBELET_SIZE
        plain = cv2.resize(frame, (FILM_PANEL, FILM_PANEL))
        panels = [overlay(plain, heat[step], maps.grid, heat.max()) for heat in (places, times)]
        film.append(_tiled([[plain, *panels]]))
    return np.stack(film)


def overlay(frame, weights, grid, largest):
    """A frame (H, W, 3) under a heat map of weights (S,), as strong as they are beside `largest`."""
    height, width = frame.shape[:2]
    heat = (weights.reshape(grid[1:]) / max(largest, 1e-12)).astype(np.float32)
    heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_NEAREST)[..., None]
    colours = cv2.applyColorMap(np.uint8(255 * heat.clip(0, 1)), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.uint8(frame * (1 - HEAT) + colours * HEAT)


def _tiled(rows):
    """Pictures of one size, row by row, with white gaps; the size is even."""
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
