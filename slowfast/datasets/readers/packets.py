"""Which packet of a video file holds which frame, and which packets have to be decoded for the wanted frames.

A packet is one compressed picture. Packets lie in decode order; with B-frames that is not the order in which pictures
are shown. A key packet can be decoded without those before it, so decoding may start there; the pictures that follow it
in both orders need nothing that comes before it.
"""

from dataclasses import dataclass

import numpy as np

NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class PacketIndex:
    """P packets in decode order, N shown frames.

    Attributes:
        pts: int64 (P,), when the picture is shown, in ticks of the stream; NO_TIME where the file does not say.
        seek: int64 (P,), time to seek to for the packet: when it is decoded, or shown where the file has only that.
        is_key: bool (P,).
        shown: int64 (N,), packet that holds the n-th shown frame.
        start: int64 (N,), key packet from which decoding must start for the n-th shown frame.
    """

    pts: np.ndarray
    seek: np.ndarray
    is_key: np.ndarray
    shown: np.ndarray
    start: np.ndarray


@dataclass(frozen=True)
class Run:
    """Packets `first` to `last` (inclusive, decode order) are decoded; those of `packets` hold wanted frames."""

    first: int
    last: int
    packets: frozenset


def index_packets(packets, codec):
    """PacketIndex of a stream, or None where packets do not tell what a full decode yields.

    That is so if a shown picture has no time or shares it with another, or if pictures come or are shown before the
    first key packet (a decoder may drop them).

    Args:
        packets: PyAV packets of one stream, from the file's start.
        codec: FFmpeg's name of the codec.
    """
    rows = [
        (
            NO_TIME if packet.pts is None else packet.pts,
            packet.dts if packet.dts is not None else NO_TIME if packet.pts is None else packet.pts,
            packet.is_keyframe,
            not packet.is_discard and packet.size > 0 and not _is_hidden(packet, codec),
        )
        for packet in packets
        if not is_flush(packet)
    ]
    pts, seek, is_key, is_shown = (np.array(column) for column in zip(*rows)) if rows else (np.zeros(0),) * 4
    return _index(pts, seek, is_key.astype(bool), np.flatnonzero(is_shown))


def _index(pts, seek, is_key, shown):
    keys = np.flatnonzero(is_key)
    if len(shown) == 0 or len(keys) == 0 or keys[0] != 0:
        return None
    shown = shown[np.argsort(pts[shown], kind="stable")]
    times = pts[shown]
    if times[0] == NO_TIME or times[0] < pts[0] or np.any(np.diff(times) == 0) or np.any(np.diff(pts[keys]) <= 0):
        return None
    # The last key that comes no later than the frame, neither in decode order nor in display order.
    in_decode_order = np.searchsorted(keys, shown, side="right")
    in_display_order = np.searchsorted(pts[keys], times, side="right")
    start = keys[np.minimum(in_decode_order, in_display_order) - 1]
    return PacketIndex(pts, seek, is_key, shown, start)


def is_flush(packet):
    """Is this PyAV's mark of the stream's end, rather than a packet of the file?"""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def _is_hidden(packet, codec):
    """VP8 stores pictures that only serve as reference; the header's show_frame bit (RFC 6386, 9.1) tells."""
    return codec == "vp8" and not (memoryview(packet)[0] >> 4) & 1


def plan_runs(index, frames):
    """The fewest packets to decode for `frames`, as Runs in decode order.

    A new run starts where a key packet lies beyond all that is decoded anyway, so packets in between are left out.

    Args:
        index: PacketIndex.
        frames: shown frames that are wanted, each in [0, N).
    """
    wanted = {}  # key packet -> packets wanted from there on
    for frame in frames:
        wanted.setdefault(int(index.start[frame]), set()).add(int(index.shown[frame]))
    runs = []
    for first in sorted(wanted):
        last, packets = max(wanted[first]), frozenset(wanted[first])
        if runs and first <= runs[-1].last + 1:
            run = runs.pop()
            first, last, packets = run.first, max(run.last, last), run.packets | packets
        runs.append(Run(first, last, packets))
    return runs
