"""A piece of a video, as a video of its own."""

import numpy as np

from slowfast.datasets.readers.base import check_indices
from slowfast.utils.errors import ReadError


class SegmentReader:
    """The frames of a reader that are shown from `start` to `stop`; implements `VideoReader`.

    Args:
        reader: closed together with this one.
        span_s: (start, stop) in seconds from the video's first frame; the frame on show at `start` is the first, and
            the last is one that is shown before `stop`.
        fps: frames a second, for readers without timestamps.
    Raises:
        ReadError: nothing is shown in the span.
    """

    def __init__(self, reader, span_s, fps=None):
        self._reader = reader
        self.path = reader.path
        self.fps = reader.fps or fps
        times = reader.timestamps
        if times is None:
            if not self.fps:
                raise ReadError(self.path, "its frames have no times, so a piece given in seconds cannot be found")
            times = np.arange(len(reader)) / self.fps
        start, stop = (times[0] + second for second in span_s)
        self._first = max(int(np.searchsorted(times, start, side="right")) - 1, 0)
        last = int(np.searchsorted(times, stop, side="left"))
        if start > times[-1] + 1 / (self.fps or 1) or last <= self._first:
            reader.close()
            raise ReadError(
                self.path, f"no frame from second {span_s[0]:g} to {span_s[1]:g}; it has {times[-1] - times[0]:.2f} s"
            )
        self.timestamps = times[self._first : last]

    def __len__(self):
        return len(self.timestamps)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._reader.close()

    @property
    def size(self):
        return self._reader.size

    def get(self, indices, short_side=None):
        """Frames uint8 (T, H, W, 3) RGB; see `VideoReader.get`."""
        return self._reader.get(check_indices(self, indices) + self._first, short_side)
