"""A piece of a video, as a video of its own."""

import numpy as np

from slowfast.datasets.readers.base import check_indices
from slowfast.utils.errors import ReadError


class SegmentReader:
    """Some frames of a reader, in a row; implements `VideoReader`.

    Args:
        reader: closed together with this one, also if this one cannot be made.
        span_s: (start, stop) in seconds from the video's first frame; the frame on show at `start` is the first, and
            the last is one that is shown before `stop`.
        span_frames: (first, stop) frame numbers, for readers without timestamps.
        fps: frames a second, for readers without timestamps where there is no `span_frames`.
    Raises:
        ReadError: the piece lies outside the video.
    """

    def __init__(self, reader, span_s, span_frames=None, fps=None):
        self._reader = reader
        self.path = reader.path
        self.fps = reader.fps or fps
        try:
            self._first, stop = self._find(span_s, span_frames)
        except ReadError:
            reader.close()
            raise
        self._length = stop - self._first
        times = reader.timestamps
        self.timestamps = None if times is None else times[self._first : stop]

    def _find(self, span_s, span_frames):
        length, times = len(self._reader), self._reader.timestamps
        if times is None and span_frames is not None:
            first, stop = span_frames
            if not 0 <= first < min(stop, length):
                raise ReadError(self.path, f"no frames {first} to {stop}; it has {length}")
            return first, min(stop, length)
        if times is None:
            if not self.fps:
                raise ReadError(self.path, "its frames have no times, so a piece given in seconds cannot be found")
            times = np.arange(length) / self.fps
        start_s, stop_s = span_s
        end_s = times[-1] - times[0] + 1 / (self.fps or 1)
        first = max(int(np.searchsorted(times, times[0] + start_s, side="right")) - 1, 0)
        stop = int(np.searchsorted(times, times[0] + stop_s, side="left"))
        if start_s >= end_s or stop <= first:
            raise ReadError(self.path, f"no frame from second {start_s:g} to {stop_s:g}; it has {end_s:.2f} s")
        return first, stop

    def __len__(self):
        return self._length

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
