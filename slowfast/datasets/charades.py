"""Charades: any number of actions at once; frame lists, or the official csv with videos or folders of pictures."""

from slowfast.datasets.annotations import Record
from slowfast.datasets.annotations.charades import read_charades_csv
from slowfast.datasets.annotations.frame_lists import is_frame_list, read_frame_list
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.options import check_paths, data_folder, find_list, find_root, list_options, video_options
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError

LISTS = {
    "train": ("train.csv", "Charades_v1_train.csv"),
    "val": ("val.csv", "Charades_v1_test.csv", "Charades/Charades_v1_test.csv"),
    "test": ("test.csv",),
}
_FOLDERS = ("", "Charades_v1_480", "Charades_v1", "Charades_v1_rgb", "videos", "frames")
_ENDINGS = (".mp4", "")


@DATASET_REGISTRY.register("charades")
class Charades(VideoDataset):
    """Charades; every SAMPLING_RATE-th frame. A training clip's labels are those from its first to its last frame, a
    validation or test clip's those of the whole video."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for missing or malformed lists."""
        folder = data_folder(cfg, "Charades_v1_train.csv and Charades_v1_test.csv, or of frame lists")
        path = find_list(folder, split, LISTS)
        if path is None:
            raise UserError(f"DATA.PATH_TO_DATA_DIR: {folder} has none of {', '.join(LISTS[split])}")
        records = _frame_records(cfg, path) if is_frame_list(path) else _video_records(cfg, path)
        check_paths(path, records)
        return cls(records, split, num_classes=cfg.MODEL.NUM_CLASSES, **video_options(cfg, split, own_rule="charades"))

    def _classes(self, record, reader, indices):
        """Numbers of the classes that a clip shows."""
        known = record.frame_labels is not None or reader.timestamps is not None
        if self.split != "train" or not known:
            return super()._classes(record, reader, indices)
        first, last = int(min(indices)), int(max(indices))
        if record.frame_labels is not None:
            return {number for labels in record.frame_labels[first : last + 1] for number in labels}
        begin, end = (reader.timestamps[i] - reader.timestamps[0] for i in (first, last))
        return {number for number, start, stop in record.label if start <= end and stop >= begin}


def _frame_records(cfg, path):
    videos = read_frame_list(path, **list_options(cfg))
    root = find_root(cfg, [frames[0] for frames, _ in videos.values()][:8])
    return [
        Record(
            row,
            name,
            sorted({number for label in labels for number in label}),
            frames=tuple(str(root / frame) for frame in frames),
            frame_labels=tuple(labels),
        )
        for row, (name, (frames, labels)) in enumerate(videos.items())
    ]


def _video_records(cfg, path):
    rows = read_charades_csv(path, **list_options(cfg))
    names = [name for name, _ in rows[:8]]
    root = find_root(cfg, [name + ending for name in names for ending in _ENDINGS], _FOLDERS)
    ending = next((e for e in _ENDINGS if any((root / (name + e)).exists() for name in names)), _ENDINGS[0])
    return [Record(row, str(root / (name + ending)), actions) for row, (name, actions) in enumerate(rows)]
