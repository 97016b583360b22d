"""Where the lines that are checked come from: a config's data sets, lists in Kinetics' format, or class folders."""

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slowfast.config import derive
from slowfast.datasets.annotations import Record, read_kinetics_csv
from slowfast.datasets.build import build_dataset
from slowfast.datasets.folders import VIDEO_ENDINGS, list_clips
from slowfast.utils.errors import ConfigError, UserError
from slowfast.utils.label_map import read_label_map
from slowfast.utils.logging import get_logger

SPLITS = ("train", "val", "test")
ANY_LABEL = 1 << 30  # classes; labels are judged later, with the videos
_SPLIT_FOLDERS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val"} | {
    "test": "test",
    "testing": "test",
}
_SHOWN = 5  # kinds of file that a note names


@dataclass
class Source:
    """What is to be checked.

    Attributes:
        name: where it comes from, in words.
        splits: dict split -> list of Record.
        warnings: texts, what is wrong with the lists themselves.
        notes: texts, what else is worth knowing.
        names: dict class -> name, or None.
        num_classes: labels must be below; an int, or one for each head; None: unknown.
        min_frames: fewer are too short.
        reader: DATA.READER.
        separator: of cleaned lists; None: any.
    """

    name: str
    splits: dict
    warnings: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    names: dict | None = None
    num_classes: int | None = None
    min_frames: int = 2
    reader: str = "auto"
    separator: str | None = None


def from_cfg(cfg):
    """Source of all splits that a config's data sets have.

    Raises: UserError, ConfigError: a list that a job of this config reads is missing or does not fit as a whole.
    """
    needed = {"train": cfg.TRAIN.ENABLE, "val": cfg.TRAIN.ENABLE, "test": cfg.TEST.ENABLE}
    splits, notes = {}, []
    with _warnings() as warnings:
        for split in SPLITS:
            name = cfg.TEST.DATASET if split == "test" else cfg.TRAIN.DATASET
            try:
                splits[split] = _records(name, cfg, split)
            except UserError as error:
                if needed[split] or not any(needed.values()):
                    raise
                notes.append(f"{split} was not looked at: {error}")
    return Source(
        f"{cfg.TRAIN.DATASET} in {cfg.DATA.PATH_TO_DATA_DIR}",
        splits,
        warnings,
        notes,
        names=read_label_map(cfg.DATA.CLASS_NAMES_PATH) if cfg.DATA.CLASS_NAMES_PATH else None,
        num_classes=tuple(cfg.MODEL.HEAD_CLASSES) or cfg.MODEL.NUM_CLASSES,
        min_frames=cfg.DATA.NUM_FRAMES,
        reader=derive.reader_kind(cfg),
        separator=None if cfg.DATA.PATH_LABEL_SEPARATOR == "auto" else cfg.DATA.PATH_LABEL_SEPARATOR,
    )


def from_csv(paths, root="", *, num_classes=None, class_names=None):
    """Source of lists in Kinetics' format; each is a split, named as the file.

    Args:
        root: folder that relative paths start from; "": see `read_kinetics_csv`.
        class_names: file as `read_label_map` takes it, or None.
    Raises: UserError: a list is missing, holds no line that fits, or two have one name.
    """
    names = read_label_map(class_names) if class_names else None
    splits = {}
    with _warnings() as warnings:
        for path in map(Path, paths):
            if path.stem in splits:
                raise UserError(f"--csv: two lists are named {path.stem}; a split's name is its file's, rename one")
            classes = {name: number for number, name in (names or {}).items()}
            splits[path.stem] = read_kinetics_csv(path, root, skip_bad_lines=True, class_ids=classes)
    if num_classes is None and names:
        num_classes = max(names) + 1
    return Source(", ".join(map(str, paths)), splits, warnings, names=names, num_classes=num_classes)


def from_folder(root):
    """Source of `class/clip.mp4` below a folder, or below its folders train, val and test.

    What carries a video's name is looked at, whatever it is. Clips beside the class folders have no label.
    Raises: UserError: no folder, or nothing in it that is named like a video.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"--folder: no folder {root}; expected one folder a class, with videos in each")
    tops = {_SPLIT_FOLDERS[e.name.lower()]: Path(e.path) for e in _folders(root) if e.name.lower() in _SPLIT_FOLDERS}
    tops = tops or {"all": root}
    classes = sorted({entry.name for top in tops.values() for entry in _folders(top) if any(_clips(entry.path))})
    splits = {split: _folder_records(top, classes) for split, top in tops.items()}
    if not any(splits.values()):
        raise UserError(f"--folder: nothing in {root} is named like a video ({', '.join(VIDEO_ENDINGS)})")
    loose = sum(record.label is None for records in splits.values() for record in records)
    notes = [f"{loose} videos lie in no class folder: training from folders does not find them"] if loose else []
    return Source(str(root), splits, notes=notes + _other_files(root), names=dict(enumerate(classes)))


def _records(name, cfg, split):
    try:
        return build_dataset(name, _lenient(cfg, NUM_CLASSES=ANY_LABEL, HEAD_CLASSES=[]), split).records
    except ConfigError:  # a set that counts its classes itself
        return build_dataset(name, _lenient(cfg), split).records


def _lenient(cfg, **classes):
    """The cfg with bad lines skipped, and with other keys of MODEL."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.DATA.SKIP_BAD_LINES = True
    for key, value in classes.items():
        cfg.MODEL[key] = value
    cfg.freeze()
    return cfg


@contextmanager
def _warnings():
    """The list that warnings are put into, while inside."""

    class Handler(logging.Handler):
        def emit(self, record):
            if record.getMessage() not in found:
                found.append(record.getMessage())

    found, handler, logger = [], Handler(logging.WARNING), get_logger()
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


def _folder_records(top, classes):
    loose = sorted(entry.path for entry in os.scandir(top) if _is_clip(entry.name) and not entry.is_dir())
    clips = [(path, label) for label, name in enumerate(classes) for path in _clips(top / name)]
    clips += [(path, None) for path in loose]
    return [Record(row, path, label) for row, (path, label) in enumerate(clips)]


def _clips(folder):
    """Paths of the clips below a folder, and of folders that are named like a video and hold none."""
    clips = list_clips(folder)
    named = (os.path.join(parent, name) for parent, names, _ in os.walk(folder) for name in names if _is_clip(name))
    return clips + [path for path in named if not any(clip.startswith(path) for clip in clips)]


def _is_clip(name):
    return name[0] != "." and name.lower().endswith(VIDEO_ENDINGS)


def _folders(root):
    return [entry for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != "." and not _is_clip(entry.name)]


def _other_files(root):
    """A note on files that were left out for their names."""
    kinds = {}
    for _, _, files in os.walk(root):
        for name in files:
            if name[0] != "." and not _is_clip(name):
                ending = os.path.splitext(name)[1].lower() or "no ending"
                kinds[ending] = kinds.get(ending, 0) + 1
    if not kinds:
        return []
    shown = ", ".join(f"{ending} {number}" for ending, number in sorted(kinds.items(), key=lambda k: -k[1])[:_SHOWN])
    return [f"left out for names that are not a video's, number of files: {shown}"]
