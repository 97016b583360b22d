"""From a configuration to what every video data set needs: lists, folders, transforms, sampling."""

from pathlib import Path

from slowfast.config import derive
from slowfast.datasets.annotations.kinetics import is_there
from slowfast.datasets.clip_rules import build_rule
from slowfast.datasets.hidden_tokens import HiddenTokens
from slowfast.datasets.mirroring import read_mirrored_classes
from slowfast.datasets.readers.torchcodec import check_torchcodec
from slowfast.datasets.transforms.build import build_transforms
from slowfast.utils.errors import UserError
from slowfast.utils.label_map import read_label_map
from slowfast.utils.logging import get_logger

_ROWS_TO_LOOK_AT = 100


def video_options(cfg, split, own_rule="slowfast", *, names_directions=False, class_names=None):
    """Keyword arguments of `VideoDataset`.

    Args:
        split: "train", "val" or "test".
        own_rule: what DATA.SAMPLING "auto" means for this data set.
        names_directions: left and right are part of its classes: a clip is mirrored with its label or not at all.
        class_names: file of the data set's own names of its classes; None: DATA.CLASS_NAMES_PATH or classes.txt.
    Raises: UserError: a reader that is missing; ConfigError: DATA.FLIP_SWAPS_LABELS without names to tell it how.
    """
    swaps = split == "train" and cfg.DATA.RANDOM_FLIP and cfg.DATA.FLIP_SWAPS_LABELS
    if split == "train" and cfg.DATA.RANDOM_FLIP and names_directions and not swaps:
        get_logger().info(f"{cfg.TRAIN.DATASET}: no clip is mirrored, as left and right are part of its classes")
    reader = derive.reader_kind(cfg)
    if reader == "torchcodec":
        check_torchcodec()
    return {
        "num_frames": cfg.DATA.NUM_FRAMES,
        "sampling_rate": cfg.DATA.SAMPLING_RATE,
        "rule": build_rule(cfg, own_rule),
        "transforms": build_transforms(cfg, split, may_flip=swaps or not names_directions),
        "num_clips": cfg.TEST.NUM_ENSEMBLE_VIEWS if split == "test" else 1,
        "frame_order": cfg.TEST.FRAME_ORDER,
        "reader": reader,
        "seed": cfg.RNG_SEED,
        "self_label": HiddenTokens.from_cfg(cfg) if derive.task_name(cfg) == "masked_pretraining" else None,
        "num_samples": cfg.AUG.NUM_SAMPLE if split == "train" and cfg.AUG.ENABLE else 1,
        "mirrored": read_mirrored_classes(class_names or _class_names(cfg)) if swaps else None,
        "max_unreadable_in_a_row": cfg.TRAIN.MAX_UNREADABLE_IN_A_ROW,
    }


def _class_names(cfg):
    """File of the classes' names, or None."""
    beside = Path(cfg.DATA.PATH_TO_DATA_DIR) / "classes.txt"
    return cfg.DATA.CLASS_NAMES_PATH or (beside if beside.is_file() else None)


def list_options(cfg):
    """Keyword arguments that the readers of lists share."""
    return {"num_classes": cfg.MODEL.NUM_CLASSES, "skip_bad_lines": cfg.DATA.SKIP_BAD_LINES}


def class_ids(cfg):
    """dict class name -> number, of DATA.CLASS_NAMES_PATH; None without one."""
    if not cfg.DATA.CLASS_NAMES_PATH:
        return None
    return {name: number for number, name in read_label_map(cfg.DATA.CLASS_NAMES_PATH).items()}


def data_folder(cfg, expected):
    """DATA.PATH_TO_DATA_DIR as a Path. Args: expected: what should be in it. Raises: UserError: empty or missing."""
    folder = cfg.DATA.PATH_TO_DATA_DIR
    if not folder:
        raise UserError(f"DATA.PATH_TO_DATA_DIR is empty; expected the folder of {expected}")
    if not Path(folder).is_dir():
        raise UserError(f"DATA.PATH_TO_DATA_DIR: no folder {folder}; expected the folder of {expected}")
    return Path(folder)


def find_list(folder, split, names):
    """The split's list in `folder`, or None; a set without a test list is tested on its validation list.

    Args:
        names: dict "train", "val", "test" -> file names, the first that exists is taken.
    """
    for wanted in (split, "val") if split == "test" else (split,):
        found = next((folder / name for name in names.get(wanted, ()) if (folder / name).is_file()), None)
        if found is not None:
            if wanted != split:
                get_logger().info(f"{folder} has no list for the test, which runs on {found.name}")
            return found
    return None


def check_paths(source, records):
    """Refuse a list none of whose videos is there: the folder is wrong, not the videos."""
    looked_at = records[:: max(1, len(records) // _ROWS_TO_LOOK_AT)]
    places = [Path(record.path if record.frames is None else record.frames[0]) for record in looked_at]
    if not any(is_there(place) for place in places):
        raise UserError(
            f"{source}: none of {len(looked_at)} videos looked for is there, the first: {places[0]}. "
            "Set DATA.PATH_PREFIX to the folder that the list's paths start from"
        )


def find_root(cfg, names, folders=("",)):
    """Folder that the relative paths of a list start from: DATA.PATH_PREFIX, else the first of `folders` in
    DATA.PATH_TO_DATA_DIR that holds one of the first names."""
    if cfg.DATA.PATH_PREFIX:
        return Path(cfg.DATA.PATH_PREFIX)
    roots = [Path(cfg.DATA.PATH_TO_DATA_DIR) / folder for folder in folders]
    return next((root for root in roots if any((root / name).exists() for name in names[:8])), roots[0])
