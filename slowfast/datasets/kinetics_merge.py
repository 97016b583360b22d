"""Several Kinetics sets as one: merged classes, no YouTube video twice in training, none of them in a validation."""

import re
from collections import Counter
from dataclasses import dataclass, field

from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.datasets.annotations.lines import numbered_lines, read_table
from slowfast.utils.errors import UserError
from slowfast.utils.label_map import nearest, plain, read_aliases, read_classes

CLIP_NAME = re.compile(r"([\w-]{11})_\d{6}_\d{6}")  # YouTube id, first and last second
BARE_ID = re.compile(r"[\w-]{11}")
COLUMNS = ("label", "youtube_id", "time_start", "time_end")  # of the official lists
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Clip:
    """One line of one list: path, YouTube id, class name as the set has it."""

    set_name: str
    split: str
    path: str
    youtube_id: str
    label: str


@dataclass
class Merged:
    """What merging gives.

    classes: merged names, sorted. index: set -> merged number of each of its classes, in its order.
    train, val: (Clip, merged number), in the order of the sets and their lists.
    removed: (Clip, reason, Clip that stays) of what was left out of training or validation.
    conflicts: (Clip that stays, Clip left out) of the same video with another merged class.
    counts: set -> split -> clips listed.
    """

    classes: list
    index: dict
    train: list = field(default_factory=list)
    val: list = field(default_factory=list)
    removed: list = field(default_factory=list)
    conflicts: list = field(default_factory=list)
    counts: dict = field(default_factory=dict)


def read_set(name, folder, clip_name):
    """(class names, list of Clip) of one set: classes.txt, train.csv, val.csv and, where it is there, test.csv.

    Lists are `path label` lines with numbers, or the official tables with names; the label of a test line may be empty.

    Args:
        folder: Path of the lists.
        clip_name: how the files of an official table are called, e.g. "{label}/{id}_{start:06d}_{end:06d}.mp4".
    Raises: UserError by file and line: a class that classes.txt does not name, a path without a YouTube id.
    """
    if not (folder / "classes.txt").is_file():
        raise UserError(f"{folder}/classes.txt is not there; it names the classes of {name}, one a line or `id,name`")
    classes, clips = read_classes(folder / "classes.txt"), []
    for split in SPLITS:
        path = folder / f"{split}.csv"
        if path.is_file():
            official = "youtube_id" in numbered_lines(path, "a header or a path and a label")[0][1]
            read = _official if official else _listed
            clips += read(name, split, path, classes, clip_name)
        elif split != "test":
            raise UserError(f"{path} is not there; {name} needs train.csv and val.csv beside its classes.txt")
    return classes, clips


def _official(name, split, path, classes, clip_name):
    known, clips = {plain(label): label for label in classes}, []
    columns = COLUMNS if split != "test" else COLUMNS[1:]
    for number, row in read_table(path, columns):
        label = row.get("label", "")
        if plain(label) not in known and (label or split != "test"):
            raise UserError(f"{path}:{number}: {label!r} is no class of {name}{nearest(plain(label), known)}")
        if not BARE_ID.fullmatch(row["youtube_id"]):
            raise UserError(f"{path}:{number}: {row['youtube_id']!r} is no YouTube id of 11 characters")
        try:
            start, end = int(float(row["time_start"])), int(float(row["time_end"]))
        except ValueError:
            raise UserError(f"{path}:{number}: time_start and time_end must be seconds, got {row}") from None
        label = known.get(plain(label), "")
        file = clip_name.format(id=row["youtube_id"], start=start, end=end, label=label, split=split, set=name)
        clips.append(Clip(name, split, str(path.parent / file), row["youtube_id"], label))
    return clips


def _listed(name, split, path, classes, clip_name):
    clips = []
    for record in read_kinetics_csv(path, num_classes=len(classes)):
        stem = re.sub(r"\.\w{2,4}$", "", record.path.rstrip("/").rpartition("/")[2])
        match = CLIP_NAME.fullmatch(stem)
        if not match and not BARE_ID.fullmatch(stem):
            raise UserError(
                f"{path}: row {record.video_id + 1}: {record.path} has no YouTube id in its name; expected <id>.mp4 or "
                "<id>_000010_000020.mp4, with an id of 11 characters"
            )
        clips.append(Clip(name, split, record.path, match[1] if match else stem, classes[record.label]))
    return clips


def merge_classes(sets, aliases_path=""):
    """(merged names, sorted; set -> merged number of each class). The first set's spelling is kept.

    Args:
        sets: name -> class names.
        aliases_path: lines `name,merged name` for one class that two sets call differently; "": none.
    Raises: UserError: an alias of an unknown name, or one that leads to another alias.
    """
    spelling = {}
    for names in sets.values():
        for label in names:
            spelling.setdefault(plain(label), label)
    aliases = {}
    if aliases_path:
        aliases = read_aliases(aliases_path, {"any set": spelling.values(), "the merged set": spelling.values()})
        wrong = [label for label, target in aliases.items() if not target or target in aliases]
        if wrong:
            raise UserError(f"{aliases_path}: {wrong[0]!r} must lead to a name that is no alias itself")
    merged = sorted({aliases.get(label, label) for label in spelling})
    number = {label: row for row, label in enumerate(merged)}
    for name, names in sets.items():
        taken = Counter(aliases.get(plain(label), plain(label)) for label in names)
        doubled = [label for label, times in taken.items() if times > 1]
        if doubled:
            raise UserError(f"{aliases_path}: two classes of {name} become {doubled[0]!r}; merge only across sets")
    index = {name: [number[aliases.get(plain(each), plain(each))] for each in names] for name, names in sets.items()}
    return [spelling[label] for label in merged], index


def merge(sets, aliases_path=""):
    """Merge sets by YouTube id; where a video comes twice, the first named set's line stays.

    Validation and test come before training: a video of any set's validation or test is in no training, whichever
    part of it the lines show. Test lists are used for that alone.

    Args: sets: name -> (class names, list of Clip), from `read_set`.
    Returns: Merged.
    Raises: UserError: as `merge_classes`; nothing is left to train.
    """
    classes, index = merge_classes({name: names for name, (names, _) in sets.items()}, aliases_path)
    merged = Merged(classes, index)
    numbers = {name: {label: index[name][row] for row, label in enumerate(names)} for name, (names, _) in sets.items()}
    clips = [clip for _, listed in sets.values() for clip in listed]
    for clip in clips:
        merged.counts.setdefault(clip.set_name, Counter())[clip.split] += 1
    seen = {}
    for split, kept in (("val", merged.val), ("test", []), ("train", merged.train)):
        for clip in (clip for clip in clips if clip.split == split):
            other = seen.setdefault(clip.youtube_id, clip)
            number = numbers[clip.set_name].get(clip.label)
            if other is clip:
                kept.append((clip, number))
            elif split != "test":
                merged.removed.append((clip, _reason(clip, other), other))
                if number != numbers[other.set_name].get(other.label, number):
                    merged.conflicts.append((other, clip))
    if not merged.train:
        raise UserError("nothing is left to train: every training video is in a validation or test list")
    return merged


def _reason(clip, other):
    """Why a line is left out, beside the one that stays."""
    if clip.split == other.split:
        return f"duplicate within {clip.set_name}" if clip.set_name == other.set_name else "duplicate across sets"
    return f"in the {other.split} list of {other.set_name}"


def report(merged):
    """Counts of a Merged, ready for JSON."""
    reasons = {split: Counter() for split in ("train", "val")}
    for clip, reason, _ in merged.removed:
        reasons[clip.split][reason] += 1
    return {
        "classes": {"merged": len(merged.classes)} | {name: len(rows) for name, rows in merged.index.items()},
        "listed": {name: dict(counts) for name, counts in merged.counts.items()},
        "removed": {split: dict(counts) for split, counts in reasons.items()},
        "same_video_other_class": len(merged.conflicts),
        "train": len(merged.train),
        "val": len(merged.val),
        "classes_without_training_clips": [
            name for row, name in enumerate(merged.classes) if row not in {number for _, number in merged.train}
        ],
    }
