"""Sets without lists: one folder a class, of videos (`video_folder`) or of pictures (`imagenet`)."""

import hashlib
import os
from pathlib import Path

from slowfast.datasets.annotations import Record
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.options import data_folder, video_options
from slowfast.datasets.readers import pictures
from slowfast.datasets.readers.frames import natural_order
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import ConfigError, UserError
from slowfast.utils.logging import get_logger

VIDEO_ENDINGS = tuple(
    ".mp4 .webm .avi .mkv .mov .m4v .mpg .mpeg .ts .mts .m2ts .flv .wmv .asf .3gp .ogv .gif .h5 .hdf5".split()
)
_SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "validation", "valid", "test"),
    "test": ("test", "val", "validation", "valid"),
}
_SHARES = 1000  # a clip's place in [0, _SHARES) decides its split


@DATASET_REGISTRY.register("video_folder")
class VideoFolder(VideoDataset):
    """Any videos: `class/clip.mp4` below DATA.PATH_TO_DATA_DIR, or below its folders train, val and test.

    Without these, DATA.VAL_FRACTION of each class is held out, the same clips in every run. Classes are numbered in
    alphabetical order. A folder of pictures counts as a clip.
    """

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for a folder without classes or clips; ConfigError for a MODEL.NUM_CLASSES that differs."""
        root = data_folder(cfg, "a folder a class, with that class's videos in it")
        return _with_names(cls, cfg, root, split, list_clips)


@DATASET_REGISTRY.register("imagenet")
class ImageNet(VideoDataset):
    """Pictures, `train/class/picture.JPEG`: clips of one frame, or of NUM_FRAMES times the same one."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: as `VideoFolder`."""
        root = data_folder(cfg, "train and val, with a folder a class in each")
        return _with_names(cls, cfg, root, split, _list_stills)


def _with_names(cls, cfg, root, split, list_class):
    """The data set of a split; the folders' names are its `class_names`."""
    classes, clips = find_clips(root, split, list_class, cfg.DATA.VAL_FRACTION)
    if len(classes) != cfg.MODEL.NUM_CLASSES:
        shown = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
        raise ConfigError(
            f"MODEL.NUM_CLASSES: got {cfg.MODEL.NUM_CLASSES}, but {root} has {len(classes)} class folders ({shown}); "
            f"set it to {len(classes)}"
        )
    get_logger().info(f"{split}: {len(clips)} clips of {len(classes)} classes in {root}")
    records = [Record(row, path, label) for row, (path, label) in enumerate(clips)]
    dataset = cls(records, split, **video_options(cfg, split))
    dataset.class_names = classes
    return dataset


def find_clips(root, split, list_class, val_fraction):
    """(class names, [(path, label)]) of a split.

    Args:
        root: folder of class folders, or of folders train, val, test with class folders in them.
        list_class: function of a class folder -> paths of its clips.
        val_fraction: share of each class that "val" and "test" get where there are no split folders.
    Raises: UserError: no classes, or no clip.
    """
    root = Path(root)
    by_split = any((root / name).is_dir() and _folders(root / name) for name in _SPLIT_FOLDERS["train"])
    top = root
    if by_split:
        top = next((root / name for name in _SPLIT_FOLDERS[split] if (root / name).is_dir()), None)
        if top is None:
            raise UserError(f"DATA.PATH_TO_DATA_DIR: {root} has a training folder but none for '{split}'")
        classes = _folders(next(root / name for name in _SPLIT_FOLDERS["train"] if (root / name).is_dir()))
    else:
        classes = _folders(root)
    if not classes:
        raise UserError(f"DATA.PATH_TO_DATA_DIR: {root} has no folders; expected one folder a class")
    unknown = sorted(set(_folders(top)) - set(classes))
    if unknown:
        raise UserError(f"{top}: folder {unknown[0]} is no class of the training folder")
    clips = []
    for label, name in enumerate(classes):
        paths = list_class(top / name) if (top / name).is_dir() else []
        if not by_split:
            paths = hold_out(paths, val_fraction, root)[split != "train"]
        clips += [(path, label) for path in paths]
    if not clips:
        raise UserError(f"{top}: no clip in any of its {len(classes)} class folders; expected videos or pictures")
    return classes, clips


def hold_out(paths, fraction, root):
    """(training clips, validation clips) of one class: by a hash of the name, so new clips move no old ones.

    At least one clip stays on each side where there are two; a single one is trained on.
    """
    place = {path: _place(os.path.relpath(path, root)) for path in paths}
    order = sorted(paths, key=place.get)
    held = sum(place[path] < fraction * _SHARES for path in paths)
    held = min(max(held, fraction > 0), len(paths) - 1)
    chosen = set(order[:held])
    return [path for path in paths if path not in chosen], [path for path in paths if path in chosen]


def _place(name):
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64 * _SHARES


def list_clips(folder):
    """Paths of the video files and folders of pictures below a folder, in natural order."""
    clips = []
    for parent, files in _walk(folder):
        names = [name for name in files if name[0] != "."]
        clips += [os.path.join(parent, name) for name in names if name.lower().endswith(VIDEO_ENDINGS)]
        if parent != str(folder) and any(name.lower().endswith(pictures.EXTENSIONS) for name in names):
            clips.append(parent)
    return sorted(clips, key=natural_order)


def _list_stills(folder):
    found = [os.path.join(parent, name) for parent, files in _walk(folder) for name in files]
    return sorted(path for path in found if path.lower().endswith(pictures.EXTENSIONS))


def _walk(folder):
    """(folder, names of its files) of a folder and of all below but hidden ones; follows links, never in a circle."""
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        place = os.stat(parent)
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        folders[:] = sorted(name for name in folders if name[0] != ".")
        yield parent, files


def _folders(root):
    return sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != ".")
