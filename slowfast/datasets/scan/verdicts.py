"""Judges each line of each split from what was found of its video: too short, listed twice, a leak, a wrong label."""

from collections import defaultdict
from dataclasses import dataclass

from slowfast.datasets.scan.probe import MISSING, OK, PARTIAL, UNREADABLE
from slowfast.datasets.scan.scan import Video

TOO_SHORT, DUPLICATE = "too_short", "duplicate"
STATUSES = (OK, PARTIAL, UNREADABLE, MISSING, TOO_SHORT, DUPLICATE)
TRAIN, EVALUATION = "train", "evaluation"


@dataclass
class Verdict:
    """One line of a split, judged.

    Attributes:
        record, split: whose line it is.
        status: one of STATUSES.
        reasons: texts; empty for a video that is well.
        frames, fps, width, height, seconds: of what the line names, a piece of a video perhaps.
        bytes: of the whole file.
        label_problem: text where a label is out of range, else "".
        leak: the other split of which this line repeats a video, or "".
    """

    record: object
    split: str
    status: str
    reasons: list
    frames: int | None
    fps: float | None
    width: int | None
    height: int | None
    seconds: float | None
    bytes: int | None
    label_problem: str = ""
    leak: str = ""

    @property
    def is_well(self):
        return self.status == OK and not self.label_problem

    def as_dict(self):
        """Row of report.json."""
        return {
            "path": self.record.path,
            "split": self.split,
            "label": self.record.label,
            "status": self.status,
            "frames": self.frames,
            "fps": self.fps,
            "width": self.width,
            "height": self.height,
            "seconds": self.seconds,
            "reason": "; ".join([*self.reasons, self.label_problem] if self.label_problem else self.reasons),
            "bytes": self.bytes,
            **({"span_s": list(self.record.span_s)} if self.record.span_s else {}),
        }


def judge(splits, findings, hashes, *, min_frames=2, num_classes=None):
    """list of Verdict, a line each, in the order of the splits and their lists.

    Args:
        splits: dict split -> list of Record.
        findings: dict Video -> Finding, of all of them.
        hashes: dict Video -> SHA-256, of the files whose content may be another one's.
        min_frames: fewer are too short: a clip would repeat frames.
        num_classes: labels must be below; an int, or a tuple of ints for labels of several heads, which an int leaves
            unchecked; None: unchecked.
    """
    verdicts, contents = [], defaultdict(list)
    for split, records in splits.items():
        for record in records:
            video = Video.of(record)
            verdict = _judge_video(record, split, findings[video], min_frames)
            verdict.label_problem = label_problem(record.label, num_classes)
            verdicts.append(verdict)
            contents[hashes.get(video) or video, record.span_s].append(verdict)
    for same in contents.values():
        if len(same) > 1:
            _judge_copies(same)
    return verdicts


def printable(path):
    """A path as one line of text that can be written anywhere."""
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in path)


def role(split):
    """TRAIN or EVALUATION, by a split's name."""
    return TRAIN if split.lower().startswith("train") else EVALUATION


def label_problem(label, num_classes):
    """Text where a label is out of range, else "". Labels are as in `Record`."""
    parts = label if isinstance(label, tuple) else (label,)
    several = isinstance(label, tuple)
    limits = num_classes if isinstance(num_classes, (tuple, list)) else (None if several else num_classes,) * len(parts)
    for part, limit in zip(parts, limits):
        for number in _classes(part):
            if number < 0 or (limit is not None and number >= limit):
                allowed = "at least 0" if limit is None else f"0 to {limit - 1}"
                return f"label {number} is out of range, expected {allowed}"
    return ""


def _classes(label):
    if not isinstance(label, list):
        return [] if label is None else [label]
    return [entry[0] if isinstance(entry, (tuple, list)) else entry for entry in label]


def _judge_video(record, split, finding, min_frames):
    fps = finding.fps or record.fps
    seconds = finding.seconds or (finding.frames / fps if finding.frames and fps else None)
    verdict = Verdict(
        record,
        split,
        finding.status,
        [finding.reason] if finding.reason else [],
        finding.frames,
        fps,
        finding.width,
        finding.height,
        seconds,
        finding.bytes,
    )
    if record.span_s and finding.status in (OK, PARTIAL):
        _measure_piece(verdict, fps, seconds)
    if verdict.status == OK and verdict.frames < min_frames:
        verdict.status = TOO_SHORT
        verdict.reasons.append(_too_short(verdict, seconds, min_frames))
    return verdict


def _measure_piece(verdict, fps, seconds):
    """Length of a piece, as far as the video of `seconds` reaches; by frame numbers where there are no times."""
    if seconds is not None:
        start, stop = verdict.record.span_s
        verdict.seconds = max(0.0, min(stop, seconds) - start)
        verdict.frames = round(verdict.seconds * fps)
    elif verdict.record.span_frames:
        first, stop = verdict.record.span_frames
        verdict.frames = max(0, min(stop, verdict.frames) - first)


def _too_short(verdict, seconds, min_frames):
    have = f"{verdict.frames} frame{'' if verdict.frames == 1 else 's'}"
    if verdict.record.span_s and verdict.frames == 0:
        start, stop = verdict.record.span_s
        end = f"; the video ends at {seconds:.1f} s" if seconds is not None else ""
        return f"nothing is shown from second {start:g} to {stop:g}{end}"
    return f"{have}, {min_frames} are wanted: a clip would repeat frames"


def _judge_copies(same):
    """Lines of one content: one stays, by preference one that is evaluated on; the others are its duplicates."""
    same = sorted(same, key=lambda verdict: role(verdict.split) == TRAIN)
    kept = {}  # split -> first verdict there
    for verdict in same:
        earlier = kept.setdefault(verdict.split, verdict)
        if earlier is not verdict:
            _mark(verdict, earlier, _in_one_split(verdict, earlier))
            if verdict.record.label != earlier.record.label:
                _mark(earlier, verdict, _in_one_split(earlier, verdict))
    first, *others = kept.values()
    for verdict in others:
        if role(verdict.split) != role(first.split):
            verdict.leak = first.split
            _mark(verdict, first, _leak(verdict, first))
        elif verdict.record.path != first.record.path:  # one list may serve as val and test
            _mark(verdict, first, f"{_same_as(first)} in {first.split}")


def _mark(verdict, other, reason):
    if reason not in verdict.reasons:
        verdict.reasons.append(reason)
    if verdict.status == OK:
        verdict.status = DUPLICATE


def _in_one_split(verdict, other):
    same = "listed more than once" if verdict.record.path == other.record.path else _same_as(other)
    if verdict.record.label != other.record.label:
        return f"{same}, with label {other.record.label} there and {verdict.record.label} here: one of them is wrong"
    return same


def _same_as(other):
    return f"the same content as {printable(other.record.path)}"


def _leak(verdict, first):
    what = "also listed" if verdict.record.path == first.record.path else _same_as(first)
    return f"a leak: {what} in {first.split}, so what is trained on is tested on"
