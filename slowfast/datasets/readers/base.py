"""What every reader offers, and the numbers that all of them share; no decoding lives here."""

from typing import Protocol

import numpy as np


class VideoReader(Protocol):
    """One open video. Frame n is the n-th frame that a player shows, upright.

    Attributes:
        path: what the video is called in messages.
        fps: mean frames a second, from the timestamps; None where the storage does not tell (pictures).
        size: (width, height) in px.
        timestamps: float64 (N,), seconds at which each frame is shown, as the file states them; increasing. None where
            the storage does not tell.
    """

    path: str
    fps: float | None
    size: tuple[int, int]
    timestamps: np.ndarray | None

    def __len__(self) -> int:
        """Number of frames that a full decode yields; at least 1."""

    def get(self, indices, short_side=None) -> np.ndarray:
        """Frames as uint8 (T, H, W, 3) RGB.

        Args:
            indices: T frame numbers in [0, len); any order, repeats allowed.
            short_side: px; None keeps the stored size, a number scales the short side to it (the long one in
                proportion, rounded down).
        Raises:
            IndexError: an index outside the video.
            ReadError: the frames cannot be read; names the file.
        """

    def close(self) -> None:
        """Let go of the file."""


def check_indices(reader, indices):
    """Frame numbers as an int64 array (T,). Raises: IndexError: none, or one outside the video."""
    indices = np.asarray(indices, dtype=np.int64)
    if indices.size == 0 or indices.min() < 0 or indices.max() >= len(reader):
        raise IndexError(f"{reader.path}: frames {indices.tolist()} of a video with {len(reader)} frames")
    return indices


def scaled_size(size, short_side):
    """(width, height) with the short side scaled to `short_side` px, the long one in proportion, rounded down."""
    if short_side is None:
        return tuple(size)
    short = min(size)
    return tuple(short_side if side == short else side * short_side // short for side in size)
