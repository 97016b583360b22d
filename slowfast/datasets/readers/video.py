"""Video files through PyAV: seek to the key frame, decode no further than needed, convert only what is kept."""

import os
import stat
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

from slowfast.datasets.readers.base import check_indices, scaled_size
from slowfast.datasets.readers.packets import index_packets, is_flush, plan_runs
from slowfast.utils.errors import ReadError

# Codecs whose unreferenced pictures (B-frames, mostly) the decoder may leave out without any effect on the others.
_SKIPS_UNREFERENCED = ("h264", "mpeg1video", "mpeg2video", "mpeg4")
# Containers whose timestamps come out differently after a seek: their packets are read from the start and left aside.
_SEEK_MISLEADS = ("gif", "mpeg", "mpegts")
# From PyAV 17 on, colour conversion starts threads of its own unless told not to; earlier it has none.
_ONE_THREAD = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}
# A larger picture is a lie of the header, or would not fit into memory a few times over: 16384 x 8192 px.
_MAX_PIXELS = 1 << 27
# A playlist that poses as a video must not make FFmpeg look elsewhere.
_LOCAL_FILES_ONLY = {"protocol_whitelist": "file,crypto,data"}
# What FFmpeg and PyAV raise over damaged files, beside errors of their own.
_FAILURES = (av.error.FFmpegError, MemoryError, OSError, ValueError, ArithmeticError, IndexError)


class _LostPlaceError(Exception):
    """After a seek, the packets are not those of the index."""


class PyAVReader:
    """Reads the first video stream of a file; implements `VideoReader`.

    Opening reads through the file once without decoding, to learn each frame's time and the key frames. Pictures with
    a rotation (telephones) come out upright. Where the packets do not tell what is shown, frames are counted by
    decoding instead, which is slower and right.

    Attributes:
        frames_decoded: pictures that came out of the decoder so far.
    Raises:
        ReadError: no such file, no video in it, or damaged.
    """

    def __init__(self, path):
        self.path = path
        self.frames_decoded = 0
        self._container = None
        self._reformatter = VideoReformatter()
        self._size = None
        try:
            with self._reading():
                self._open()
                self._index = index = self._read_index()
                ticks = self._count_by_decoding() if index is None else index.pts[index.shown]
                self.timestamps = ticks * float(self._stream.time_base)
                self.fps = self._mean_fps(ticks)
        except BaseException:
            self.close()
            raise

    def __len__(self):
        return len(self.timestamps)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._container is not None:
            self._container.close()
            self._container = None

    @property
    def stream_index(self):
        """Number of the video stream among all streams of the file."""
        return self._stream.index

    @property
    def size(self):
        """(width, height) in px of the upright picture; decodes the first frame if none has been decoded yet."""
        if self._size is None:
            self.get([0])
        return self._size

    def get(self, indices, short_side=None):
        """Frames uint8 (T, H, W, 3) RGB; see `VideoReader.get`."""
        indices = check_indices(self, indices)
        frames = _Frames(indices, short_side, self._reformatter)
        with self._reading():
            if self._index is None:
                self._decode_counting(frames)
            else:
                self._decode_by_time(frames)
        if frames.missing:
            raise ReadError(self.path, f"frame {min(frames.missing)} does not come out of the decoder whole: damaged")
        self._size = self._size or frames.upright_size
        return frames.out

    # Opening

    def _open(self):
        self.close()
        if not stat.S_ISREG(os.stat(self.path).st_mode):
            raise ReadError(self.path, "not a file")  # a pipe, say, which would be waited for
        # An absolute path, since FFmpeg takes what stands before a colon for a protocol. Not `options`, which are for
        # streams too: with them, PyAV 15 crashes on containers whose streams show up later (MPEG).
        self._container = av.open(
            os.path.abspath(self.path), metadata_errors="replace", container_options=_LOCAL_FILES_ONLY
        )
        pictures = self._container.streams.video
        streams = [stream for stream in pictures if not stream.disposition & Disposition.attached_pic]
        if not streams:
            raise ReadError(self.path, "no video stream, only a cover picture" if pictures else "no video stream")
        self._stream = streams[0]
        codec = self._stream.codec_context
        if codec is None:
            raise ReadError(self.path, "no decoder for its video")
        if codec.width * codec.height > _MAX_PIXELS:
            raise ReadError(self.path, f"its header says {codec.width} x {codec.height} px, more than can be meant")
        # Parallelism comes from loader workers; a second thread per file would only get in their way.
        self._stream.thread_type = "SLICE"
        self._stream.codec_context.thread_count = 1

    def _read_index(self):
        """PacketIndex, or None where frames have to be counted by decoding."""
        codec = self._stream.codec_context
        index = index_packets(self._container.demux(self._stream), codec.name)
        # AVI stores no display times: where pictures are reordered, what stands for them is the decode order.
        if index is not None and self._container.format.name == "avi" and codec.has_b_frames:
            return None
        return index

    def _count_by_decoding(self):
        """Ticks, int64 (N,), of all frames that the decoder yields; one without a time follows its neighbour."""
        self._open()
        ticks = []
        for frame in self._container.decode(self._stream):
            self.frames_decoded += 1
            ticks.append(frame.pts if frame.pts is not None else (ticks[-1] + self._frame_ticks() if ticks else 0))
        if not ticks:
            raise ReadError(self.path, "no frame can be decoded")
        return np.sort(np.array(ticks, dtype=np.int64))

    def _frame_ticks(self):
        return max(1, round(1 / (self._header_fps() * self._stream.time_base)))

    def _header_fps(self):
        return self._stream.average_rate or self._stream.base_rate or Fraction(30)

    def _mean_fps(self, ticks):
        span = int(ticks[-1] - ticks[0]) * self._stream.time_base
        return float((len(ticks) - 1) / span) if span > 0 else float(self._header_fps())

    # Decoding

    def _decode_by_time(self, frames):
        """Decode the fewest packets that give `frames`; where seeking misleads, everything up to the last of them."""
        index = self._index
        frames.expect({int(index.pts[index.shown[frame]]): frame for frame in frames.missing})
        try:
            for run in plan_runs(index, sorted(frames.missing)):
                self._decode(self._packets_from(run.first), run.last, run.packets, frames)
        except (_LostPlaceError, av.error.FFmpegError):
            pass  # what is still missing is decoded from the start
        if frames.missing:
            self._open()
            packets = frozenset(int(index.shown[frame]) for frame in frames.missing)
            self._decode(enumerate(self._container.demux(self._stream)), max(packets), packets, frames)

    def _packets_from(self, first):
        """(position, packet) from position `first` of the index on."""
        if self._container.format.name in _SEEK_MISLEADS:
            self._open()
            yield from islice(enumerate(self._container.demux(self._stream)), first, None)
            return
        index = self._index
        self._container.seek(int(index.seek[first]), stream=self._stream)
        packets = self._container.demux(self._stream)
        for packet in packets:
            if packet.is_keyframe and packet.pts == index.pts[first]:
                yield first, packet
                break
            if is_flush(packet) or (packet.dts is not None and packet.dts > index.seek[first]):
                raise _LostPlaceError
        yield from enumerate(packets, start=first + 1)

    def _decode(self, packets, last, wanted, frames):
        """Decode `packets` up to position `last`; those not `wanted` only as far as others refer to them."""
        for position, packet in packets:
            if is_flush(packet):
                break
            codec = self._stream.codec_context
            unwanted = "NONREF" if codec.name in _SKIPS_UNREFERENCED else "DEFAULT"
            codec.skip_frame = "DEFAULT" if position in wanted else unwanted
            self._keep(packet.decode(), frames)
            if position >= last:
                break
        self._keep(self._stream.codec_context.decode(None), frames)

    def _keep(self, pictures, frames):
        for picture in pictures:
            self.frames_decoded += 1
            frames.take(picture, picture.pts)

    def _decode_counting(self, frames):
        """Decode from the file's start; the n-th picture that comes out is frame n."""
        self._open()
        frames.expect({frame: frame for frame in frames.missing})
        last = max(frames.missing)
        for count, picture in enumerate(self._container.decode(self._stream)):
            self.frames_decoded += 1
            frames.take(picture, count)
            if count == last:
                break

    # Errors

    @contextmanager
    def _reading(self):
        """Whatever goes wrong inside is the file's fault and names it."""
        try:
            yield
        except _FAILURES as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ReadError(self.path, reason) from error


class _Frames:
    """The wanted frames of one `get`, filled in as pictures come out of the decoder.

    Attributes:
        out: uint8 (T, H, W, 3), once the first picture has come.
        missing: set of frame numbers that have not come yet.
        upright_size: (width, height) in px of the pictures, unscaled.
    """

    def __init__(self, indices, short_side, reformatter):
        self.indices = indices
        self.short_side = short_side
        self.reformatter = reformatter
        self.out = None
        self.missing = set(indices.tolist())
        self.upright_size = None
        self._frame_of = {}
        self._damaged = False

    def expect(self, frame_of):
        """Args: frame_of: dict mark (a time, or a count) -> frame number, for the missing frames."""
        self._frame_of = frame_of
        self._damaged = False

    def take(self, picture, mark):
        """Keep a decoded picture if it is wanted and sound; those that build on a damaged one are not."""
        self._damaged = picture.is_corrupt or (self._damaged and not picture.key_frame)
        frame = self._frame_of.get(mark)
        if frame not in self.missing or self._damaged:
            return
        pixels = self._convert(picture)
        if self.out is None:
            self.out = np.empty((len(self.indices), *pixels.shape), dtype=np.uint8)
        self.out[self.indices == frame] = pixels
        self.missing.remove(frame)

    def _convert(self, picture):
        """uint8 (H, W, 3) RGB, scaled to the short side if one is asked for, upright."""
        quarter_turns = round(picture.rotation / 90)
        if self.upright_size is None:
            self.stored_size = picture.width, picture.height
            self.upright_size = self.stored_size[::-1] if quarter_turns % 2 else self.stored_size
        width, height = scaled_size(self.stored_size, self.short_side)
        picture = self.reformatter.reformat(picture, width=width, height=height, format="rgb24", **_ONE_THREAD)
        return np.rot90(picture.to_ndarray(), quarter_turns)
