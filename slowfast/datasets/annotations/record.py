"""What a list says of one video."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One video, or one piece of a video, of a split.

    Attributes:
        video_id: its row in the list, from 0; blank and skipped lines are not counted.
        path: file or folder that is read, also its name in messages.
        label: int: a class; tuple of ints: one class for each of several heads, (verb, noun) say; list of ints: any
            number of classes that all apply; list of (class, start, stop) where they apply from start to stop only,
            in seconds.
        span_s: (start, stop) in seconds of the piece; None: the whole video.
        span_frames: (first, stop) frame numbers of the piece, for storage without times; None: by `span_s`.
        frames: paths of the pictures in order, where the list names them; None: `path` says it all.
        frame_labels: list of ints for each picture of `frames`; None: `label` says it all.
        fps: frames a second, where the list knows and the storage does not; None: unknown.
    """

    video_id: int
    path: str
    label: int | tuple | list
    span_s: tuple | None = None
    span_frames: tuple | None = None
    frames: tuple | None = None
    frame_labels: tuple | None = None
    fps: float | None = None
