"""UCF101 and HMDB51 with their official splits; validation and test are the same clips."""

from pathlib import Path

from slowfast.datasets.annotations import Record
from slowfast.datasets.annotations.splits import read_hmdb51_split, read_ucf101_split
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.kinetics import LISTS, read_csv
from slowfast.datasets.options import check_paths, data_folder, find_list, find_root, list_options, video_options
from slowfast.datasets.video_dataset import VideoDataset


class _OfficialSplits(VideoDataset):
    """A set whose splits are text files; a csv in Kinetics' format takes precedence."""

    list_folders = ()  # below DATA.PATH_TO_DATA_DIR, where the lists may lie
    video_folders = ()  # and the videos
    read_split = None

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for missing or malformed lists."""
        folder = data_folder(cfg, f"{' or '.join(filter(None, cls.list_folders))} and of the videos")
        path = find_list(folder, split, LISTS)
        if path is not None:
            records = read_csv(cfg, path)
        else:
            path = next((folder / name for name in cls.list_folders if (folder / name).is_dir()), folder)
            rows = cls.read_split(path, split, cfg.DATA.SPLIT_NUMBER, **list_options(cfg))
            root = find_root(cfg, [name for name, _ in rows], cls.video_folders)
            records = [Record(row, str(Path(root) / name), label) for row, (name, label) in enumerate(rows)]
        check_paths(path, records)
        return cls(records, split, **video_options(cfg, split))


@DATASET_REGISTRY.register("ucf101")
class UCF101(_OfficialSplits):
    """UCF101; DATA.SPLIT_NUMBER picks one of three splits."""

    list_folders = ("ucfTrainTestlist", "annotations")
    video_folders = ("", "UCF-101", "videos")
    read_split = staticmethod(read_ucf101_split)


@DATASET_REGISTRY.register("hmdb51")
class HMDB51(_OfficialSplits):
    """HMDB51; DATA.SPLIT_NUMBER picks one of three splits."""

    list_folders = ("testTrainMulti_7030_splits", "test_train_splits", "annotations")
    video_folders = ("", "hmdb51_org", "videos")
    read_split = staticmethod(read_hmdb51_split)
