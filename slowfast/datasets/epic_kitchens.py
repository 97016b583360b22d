"""EPIC-KITCHENS-100: a verb and a noun a clip; clips as files of their own, or as pieces of long videos."""

from pathlib import Path

import numpy as np

from slowfast.config import derive
from slowfast.datasets.annotations import Record
from slowfast.datasets.annotations.epic import read_epic_csv, read_ids
from slowfast.datasets.build import DATASET_REGISTRY
from slowfast.datasets.options import check_paths, data_folder, find_list, video_options
from slowfast.datasets.video_dataset import VideoDataset
from slowfast.utils.errors import UserError

LISTS = {
    "train": ("train.csv", "EPIC_100_train.csv"),
    "val": ("val.csv", "EPIC_100_validation.csv"),
    "test": ("test.csv", "EPIC_100_test_timestamps.csv"),
}
# The annotations' lists of rare classes and of people whom no training video shows.
TAIL = {"verb": "EPIC_100_tail_verbs.csv", "noun": "EPIC_100_tail_nouns.csv"}
UNSEEN = {"val": "EPIC_100_unseen_participant_ids_validation.csv", "test": "EPIC_100_unseen_participant_ids_test.csv"}
# Where a video may lie below the root; {person}: the part of its id before "_".
_PLACES = (
    *("{video}.mp4", "{video}.MP4", "videos/{video}.mp4", "videos/{video}.MP4"),
    *("{person}/videos/{video}.MP4", "{person}/{video}.MP4", "{person}/{video}.mp4"),
    *("{person}/rgb_frames/{video}", "rgb_frames/{video}", "{video}", "{video}.h5"),
)
_ROWS_TO_LOOK_AT = 8


@DATASET_REGISTRY.register("epic_kitchens")
class EpicKitchens(VideoDataset):
    """EPIC-KITCHENS-100; labels are (verb, noun), (-1, -1) in the challenge's test set.

    Attributes:
        clip_ids: narration id of each action, None where the list has none.
        groups: "tail" and "unseen", where the annotations lie beside the list: see `evaluation.verb_noun.summarise`.
    """

    clip_ids = None
    groups = {}

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: UserError for missing or malformed lists."""
        folder = data_folder(cfg, "EPIC_100_train.csv and EPIC_100_validation.csv, or train.csv and val.csv")
        path = find_list(folder, split, LISTS)
        if path is None:
            raise UserError(f"DATA.PATH_TO_DATA_DIR: {folder} has none of {', '.join(LISTS[split])}")
        heads = derive.head_classes(cfg) or (None, None)
        actions = read_epic_csv(path, *heads, skip_bad_lines=cfg.DATA.SKIP_BAD_LINES, labelled=split != "test")
        records = _records(actions, Path(cfg.DATA.PATH_PREFIX or folder))
        check_paths(path, records)
        dataset = cls(records, split, **video_options(cfg, split))
        if all(action.narration for action in actions):
            dataset.clip_ids = [action.narration for action in actions]
        dataset.groups = _groups(folder, "test" if "test" in path.name else "val", actions)
        return dataset


def _groups(folder, part, actions):
    """Rows that count for the tail classes and for the unseen people; {} without the annotations' lists."""
    groups = {}
    if all((folder / name).is_file() for name in TAIL.values()):
        verbs, nouns = ({int(text) for text in read_ids(folder / name, column)} for column, name in TAIL.items())
        groups["tail"] = _tail(np.array([action.label for action in actions]), verbs, nouns)
    if (folder / UNSEEN[part]).is_file():
        people = read_ids(folder / UNSEEN[part], "participant_id")
        unseen = np.array([_person(action.video) in people for action in actions])
        groups["unseen"] = dict.fromkeys(("verb", "noun", "action"), unseen)
    return groups


def _tail(labels, verbs, nouns):
    """Verbs and nouns count by their own class, actions where either is in the tail; labels (V, 2), sets of classes."""
    verb, noun = np.isin(labels[:, 0], sorted(verbs)), np.isin(labels[:, 1], sorted(nouns))
    return {"verb": verb, "noun": noun, "action": verb | noun}


def _person(video):
    """Participant of a video: the part of its name before "_"."""
    return Path(video).name.split("_")[0]


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
    return place.format(video=video, person=_person(video))
