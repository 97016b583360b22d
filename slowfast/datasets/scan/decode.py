"""Decodes a video file from end to end and counts what comes out: independent of the readers, whose index it checks."""

import os
from dataclasses import dataclass, field

import av
from av.stream import Disposition

_LOCAL_FILES_ONLY = {"protocol_whitelist": "file,crypto,data"}
_TAIL = 0.1  # of a file may follow its last packet: indexes
_INDEXED = "mov,mp4,m4a,3gp,3g2,mj2"  # the container that keeps packets anywhere, and a list of them


@dataclass
class Decoded:
    """What a decode from end to end yields.

    Attributes:
        frames: pictures that come out of the decoder, damaged ones included.
        damaged: pictures among them that the decoder itself calls damaged.
        lost: packets that it refuses.
        broke_off: why reading stopped before the end; "" where it did not.
        first_damage: seconds, where the first of all this is; None where nothing is.
        new_sizes: numbers of the frames at which the picture changes its size.
        unread: bytes at the end of the file in which nothing was found, where that is a large part of it.
    """

    frames: int = 0
    damaged: int = 0
    lost: int = 0
    broke_off: str = ""
    first_damage: float | None = None
    new_sizes: list = field(default_factory=list)
    unread: int = 0

    @property
    def whole(self):
        return self.frames - self.damaged

    def note_damage(self, seconds):
        if self.first_damage is None:
            self.first_damage = seconds


def decode_all(path):
    """Decoded of the first video stream that is no cover picture.

    Raises: av.error.FFmpegError, OSError: the file cannot be opened; ValueError: it has no such stream.
    """
    found = Decoded()
    with av.open(os.path.abspath(path), metadata_errors="replace", container_options=_LOCAL_FILES_ONLY) as container:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams or streams[0].codec_context is None:
            raise ValueError("no pictures to decode")
        stream = streams[0]
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        try:
            end = _decode(container.demux(), stream, found)
        except av.error.FFmpegError as error:
            found.broke_off = error.strerror or str(error)
            found.note_damage(None)
            return found
        if container.format.name != _INDEXED and end < (1 - _TAIL) * container.size:
            found.unread = container.size - end
    return found


def _decode(packets, stream, found):
    """Decode the packets of one stream among all; returns the byte at which the last one ends."""
    seconds, size, end = 0.0, None, 0
    for packet in packets:
        end = max(end, (packet.pos or 0) + packet.size)
        if packet.stream.index != stream.index:
            continue
        try:
            pictures = packet.decode()
        except av.error.FFmpegError:
            found.lost += 1
            found.note_damage(seconds)
            continue
        for picture in pictures:
            seconds = seconds if picture.time is None else picture.time
            if size not in (None, (picture.width, picture.height)):
                found.new_sizes.append(found.frames)
            size = picture.width, picture.height
            found.frames += 1
            if picture.is_corrupt:
                found.damaged += 1
                found.note_damage(seconds)
    return end
