"""What every reader offers; no decoding lives here."""

from typing import Protocol

import numpy as np


class VideoReader(Protocol):
    """One open video. Frame n is the n-th frame that a player shows, upright.

    Attributes:
        fps: mean frames a second, from the timestamps.
        size: (width, height) in px.
        timestamps: float64 (N,), seconds at which each frame is shown, as the file states them; increasing.
    """

    fps: float
    size: tuple[int, int]
    timestamps: np.ndarray

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
