"""Something-Something V2: official JSON lists, frame lists, XViT's packs, or a csv; sampled by segments."""

from pathlib import Path

from slowfast.config import derive
from slowfast.datasets.annotations import Record
from slowfast.datasets.annotations.frame_lists import is_frame_list, read_frame_list
from slowfast.datasets.annotations.ssv2 import LABELS, LISTS, find_first, read_ssv2_json
from slowfast.datasets.annotations.xvit import locate_xvit_ssv2
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.kinetics import LISTS as CSV_LISTS
from slowfast.datasets.kinetics import read_csv
from slowfast.datasets.options import check_paths, data_folder, find_list, find_root, list_options, video_options
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError

_XVIT_LISTS = {"train": ("train_videofolder.txt",), "val": ("val_videofolder.txt",)}
_ENDINGS = (".webm", ".mp4", "")  # "": a folder of pictures
_FOLDERS = ("", "videos", "20bn-something-something-v2", "frames")


@DATASET_REGISTRY.register("ssv2")
class SSv2(VideoDataset):
    """Something-Something V2; a clip takes one frame from each of NUM_FRAMES segments of the whole video."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for missing or malformed lists."""
        folder = data_folder(cfg, "something-something-v2-*.json, *_videofolder.txt, or train.csv and val.csv")
        source, records = _read(cfg, folder, split)
        check_paths(source, records)
        names = cfg.DATA.CLASS_NAMES_PATH or find_first(folder, LABELS)
        options = video_options(cfg, split, "slowfast_segments", names_directions=True, class_names=names)
        return cls(records, split, **options)


def _read(cfg, folder, split):
    """(list, records) of the first kind of list that is there."""
    packs = find_list(folder, split, _XVIT_LISTS)
    if packs is not None:
        locate = (lambda name: Path(cfg.DATA.PATH_PREFIX) / name) if cfg.DATA.PATH_PREFIX else locate_xvit_ssv2(folder)
        return packs, read_csv(cfg, packs, locate)
    csv_list = find_list(folder, split, CSV_LISTS)
    json_list, labels = find_first(folder, LISTS["train" if split == "train" else "val"]), find_first(folder, LABELS)
    frame_list = csv_list if csv_list is not None and is_frame_list(csv_list) else None
    if json_list is not None and labels is not None:
        rows = read_ssv2_json(json_list, labels, **list_options(cfg))
        return json_list, _with_frames(cfg, rows, frame_list) if frame_list else _with_files(cfg, rows)
    if csv_list is not None and frame_list is None:
        return csv_list, read_csv(cfg, csv_list)
    raise UserError(
        f"DATA.PATH_TO_DATA_DIR: {folder} has no list for '{split}'; expected {LABELS[0]} with "
        f"{LISTS['train' if split == 'train' else 'val'][0]}, *_videofolder.txt, or {split}.csv"
    )


def _with_frames(cfg, rows, frame_list):
    """Records of JSON rows whose pictures a frame list names. Raises: UserError: a video that it does not name."""
    videos = read_frame_list(frame_list, skip_bad_lines=cfg.DATA.SKIP_BAD_LINES)
    missing = [name for name, _ in rows if name not in videos]
    if missing:
        raise UserError(
            f"{frame_list}: {len(missing)} videos of the JSON list have no pictures, the first {missing[0]}"
        )
    root = find_root(cfg, [frames[0] for frames, _ in videos.values()][:8])
    return [
        Record(row, name, label, frames=tuple(str(root / frame) for frame in videos[name][0]))
        for row, (name, label) in enumerate(rows)
    ]


def _with_files(cfg, rows):
    """Records of JSON rows, for <id>.webm, <id>.mp4, folders <id> of pictures, or data sets of a pack."""
    if derive.reader_kind(cfg) == "hdf5" and not cfg.DATA.PATH_PREFIX:
        locate = locate_xvit_ssv2(cfg.DATA.PATH_TO_DATA_DIR)
        return [Record(row, str(locate(name)), label) for row, (name, label) in enumerate(rows)]
    names = [name for name, _ in rows[:8]]
    root = find_root(cfg, [name + ending for name in names for ending in _ENDINGS], _FOLDERS)
    ending = next((e for e in _ENDINGS if any((root / (name + e)).exists() for name in names)), _ENDINGS[0])
    return [Record(row, str(root / (name + ending)), label) for row, (name, label) in enumerate(rows)]
