"""Data sets listed in Kinetics' format: train.csv, val.csv and test.csv in one folder."""

from pathlib import Path

from slowfast.config import derive
from slowfast.datasets.annotations import read_kinetics_csv
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.sampling import CENTRE
from slowfast.datasets.transforms import CropTransform, TrainTransform
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger

_ROWS_TO_LOOK_AT = 100


@DATASET_REGISTRY.register()
class Kinetics(VideoDataset):
    """Kinetics, and any set of video files with one label each."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for a missing folder, list or line that does not fit, naming the key."""
        path = _list_path(cfg.DATA.PATH_TO_DATA_DIR, split)
        records = read_kinetics_csv(
            path, cfg.DATA.PATH_PREFIX, cfg.DATA.PATH_LABEL_SEPARATOR, num_classes=cfg.MODEL.NUM_CLASSES
        )
        _check_paths(path, records)
        return cls(
            records,
            split,
            num_frames=cfg.DATA.NUM_FRAMES,
            sampling_rate=cfg.DATA.SAMPLING_RATE,
            target_fps=cfg.DATA.TARGET_FPS,
            transforms=_transforms(cfg, split),
            num_clips=cfg.TEST.NUM_ENSEMBLE_VIEWS if split == "test" else 1,
            reach_end=cfg.DATA.USE_OFFSET_SAMPLING,
            frame_order=cfg.TEST.FRAME_ORDER,
            reader=derive.reader_kind(cfg),
            seed=cfg.RNG_SEED,
            max_unreadable_in_a_row=cfg.TRAIN.MAX_UNREADABLE_IN_A_ROW,
        )


def _list_path(folder, split):
    """The split's list; a set without a test.csv is tested on its val.csv, with a message."""
    if not folder:
        raise UserError("DATA.PATH_TO_DATA_DIR is empty; expected the folder of train.csv, val.csv and test.csv")
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"DATA.PATH_TO_DATA_DIR: no folder {folder}; expected the folder of train.csv, val.csv, test.csv"
        )
    path = folder / f"{split}.csv"
    if split == "test" and not path.exists() and (folder / "val.csv").exists():
        get_logger().info(f"{folder} has no test.csv: the test runs on val.csv")
        path = folder / "val.csv"
    if not path.is_file():
        raise UserError(f"DATA.PATH_TO_DATA_DIR: no {path.name} in {folder}; expected one 'path label' per line")
    return path


def _check_paths(list_path, records):
    """Refuse a list none of whose videos is there: the folder is wrong, not the videos."""
    looked_at = records[:: max(1, len(records) // _ROWS_TO_LOOK_AT)]
    if not any(Path(record.path).exists() for record in looked_at):
        raise UserError(
            f"{list_path}: none of {len(looked_at)} videos looked for is there, the first: {looked_at[0].path}. "
            "Set DATA.PATH_PREFIX to the folder that the list's paths start from"
        )


def _transforms(cfg, split):
    """dict crop -> transform, as VideoDataset takes them."""
    data = cfg.DATA
    if split == "train":
        scales = tuple(data.TRAIN_JITTER_SCALES)
        return {CENTRE: TrainTransform(scales, data.TRAIN_CROP_SIZE, data.RANDOM_FLIP, data.INV_UNIFORM_SAMPLE)}
    if split == "val":
        return {CENTRE: CropTransform(data.TRAIN_JITTER_SCALES[0], data.TRAIN_CROP_SIZE)}
    crops = cfg.TEST.NUM_SPATIAL_CROPS
    if crops == 1:  # the source keeps the training scale for a single crop
        return {CENTRE: CropTransform(data.TRAIN_JITTER_SCALES[0], data.TEST_CROP_SIZE)}
    return {crop: CropTransform(data.TEST_CROP_SIZE, data.TEST_CROP_SIZE, crop) for crop in range(crops)}
