"""EPIC-KITCHENS-100: a verb and a noun a clip; clips as files of their own, or as pieces of long videos."""

from pathlib import Path

from slowfast.datasets.annotations import Record
from slowfast.datasets.annotations.epic import read_epic_csv
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.options import check_paths, data_folder, find_list, video_options
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError

LISTS = {
    "train": ("train.csv", "EPIC_100_train.csv"),
    "val": ("val.csv", "EPIC_100_validation.csv"),
    "test": ("test.csv",),
}
# Where a video may lie below the root; {person}: the part of its id before "_".
_PLACES = (
    *("{video}.mp4", "{video}.MP4", "videos/{video}.mp4", "videos/{video}.MP4"),
    *("{person}/videos/{video}.MP4", "{person}/{video}.MP4", "{person}/{video}.mp4"),
    *("{person}/rgb_frames/{video}", "rgb_frames/{video}", "{video}", "{video}.h5"),
)
_ROWS_TO_LOOK_AT = 8


@DATASET_REGISTRY.register("epic_kitchens")
class EpicKitchens(VideoDataset):
    """EPIC-KITCHENS-100; labels are (verb, noun)."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for missing or malformed lists."""
        folder = data_folder(cfg, "EPIC_100_train.csv and EPIC_100_validation.csv, or train.csv and val.csv")
        path = find_list(folder, split, LISTS)
        if path is None:
            raise UserError(f"DATA.PATH_TO_DATA_DIR: {folder} has none of {', '.join(LISTS[split])}")
        actions = read_epic_csv(path, skip_bad_lines=cfg.DATA.SKIP_BAD_LINES)
        records = _records(actions, Path(cfg.DATA.PATH_PREFIX or folder))
        check_paths(path, records)
        return cls(records, split, **video_options(cfg, split))


def _records(actions, root):
    place = _find_place([action.video for action in actions[:_ROWS_TO_LOOK_AT]], root)
    records = []
    for row, action in enumerate(actions):
        frames = None if action.first_frame is None else (action.first_frame - 1, action.last_frame)
        path = str(root / _fill(place, action.video))
        records.append(Record(row, path, action.label, span_s=action.span_s, span_frames=frames))
    return records


def _find_place(videos, root):
    if any((root / video).is_file() for video in videos):
        return "{video}"  # the list's names are paths
    return next((place for place in _PLACES if any((root / _fill(place, v)).exists() for v in videos)), _PLACES[0])


def _fill(place, video):
    return place.format(video=video, person=Path(video).name.split("_")[0])
