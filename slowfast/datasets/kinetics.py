"""Data sets listed in Kinetics' format: train.csv, val.csv and test.csv in one folder, or XViT's text files."""

from dataclasses import replace

from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.datasets.annotations.xvit import find_xvit_list, locate_xvit_pack, read_xvit_rates
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.options import check_paths, class_ids, data_folder, find_list, list_options, video_options
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError

LISTS = {split: (f"{split}.csv",) for split in ("train", "val", "test")}


@DATASET_REGISTRY.register()
class Kinetics(VideoDataset):
    """Kinetics of any number of classes, and any set of video files with one label each."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for a missing folder, list or line that does not fit, naming the key."""
        folder = data_folder(cfg, "train.csv, val.csv and test.csv")
        path = find_list(folder, split, LISTS)
        xvit_list = None if path else find_xvit_list(folder, split)
        if xvit_list:
            records, path = _xvit_records(cfg, folder, split, xvit_list), xvit_list
        elif path:
            records = read_csv(cfg, path)
        else:
            raise UserError(f"DATA.PATH_TO_DATA_DIR: no {split}.csv in {folder}; expected one 'path label' per line")
        check_paths(path, records)
        return cls(records, split, **video_options(cfg, split))


def read_csv(cfg, path, locate=None):
    """Records of a list in Kinetics' format, with what the configuration says of it."""
    return read_kinetics_csv(
        path,
        cfg.DATA.PATH_PREFIX,
        cfg.DATA.PATH_LABEL_SEPARATOR,
        class_ids=class_ids(cfg),
        locate=locate,
        **list_options(cfg),
    )


def _xvit_records(cfg, folder, split, path):
    locate = locate_xvit_pack(folder, split)
    records = read_csv(cfg, path, locate)
    rates = read_xvit_rates(folder, split)
    if rates is None:
        return records
    rates = {str(locate(name)): fps for name, fps in rates.items()}
    missing = [record.path for record in records if record.path not in rates]
    if missing:
        raise UserError(f"{path}: the list of rates beside it has no line for {len(missing)} videos, as {missing[0]}")
    return [replace(record, fps=rates[record.path]) for record in records]
