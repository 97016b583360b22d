"""Stage 1, the selector, and stage 2, the experts: which runs a configuration stands for, and what videos they see."""

import re
from dataclasses import replace
from pathlib import Path

from projects.cast.tstl.groups import read_groups
from slowfast.datasets.build import DATASET_REGISTRY, build_dataset
from slowfast.engine.series import runs_in_series
from slowfast.utils.errors import ConfigError, UserError

STAGES = ("", "selector", "experts")
VIDEOS = ("group", "all")
RANGE = re.compile(r"\d+(-\d+)?")


@runs_in_series("TSTLMember")
def runs(cfg):
    """A run an expert in stage 2, in OUTPUT_DIR/expert_NN; else the one run. Raises: ConfigError, UserError."""
    if cfg.TSTL.STAGE != "experts":
        return [cfg]
    numbers = expert_numbers(cfg.TSTL.EXPERTS, read_groups(cfg.TSTL.GROUPS_PATH, cfg.MODEL.NUM_CLASSES).num_groups)
    return [_run_of(cfg, number) for number in numbers]


def _run_of(cfg, number):
    own = cfg.clone()
    own.defrost()
    own.TSTL.EXPERTS = number
    own.OUTPUT_DIR = str(Path(cfg.OUTPUT_DIR) / f"expert_{number:02d}")
    own.freeze()
    return own


def expert_numbers(value, num_groups):
    """Numbers of the experts that TSTL.EXPERTS names, in its order.

    Args: value: None or "all"; a number; a list of numbers; text such as "0-4" or "0,3,7-9".
    Raises: ConfigError: it is something else, or names an expert that there is not.
    """
    if value is None or value == "all":
        return list(range(num_groups))
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    numbers = []
    for part in (str(part).strip() for part in parts):
        if not RANGE.fullmatch(part):
            raise ConfigError(f"TSTL.EXPERTS: got {value!r}, expected all, a number, a list [0, 3] or a range 0-4")
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    wrong = [number for number in numbers if number >= num_groups]
    if wrong or not numbers or len(set(numbers)) < len(numbers):
        raise ConfigError(f"TSTL.EXPERTS: got {value!r}, expected different ones of 0 to {num_groups - 1}")
    return numbers


@DATASET_REGISTRY.register("tstl")
class StageVideos:
    """The data set TSTL.DATASET as a stage of TSTL sees it: with groups for labels, or a group's videos alone."""

    @classmethod
    def from_cfg(cls, cfg, split):
        """Raises: ConfigError, UserError: keys or groups that do not fit, labels of several parts, an empty group."""
        stage, groups = cfg.TSTL.STAGE, checked_stage(cfg)
        dataset = build_dataset(cfg.TSTL.DATASET, _for_all_classes(cfg, groups), split)
        if groups.class_names or not all(isinstance(record.label, int) for record in dataset.records):
            dataset.class_names = list(groups.class_names) or list(map(str, range(groups.num_classes)))
        dataset.records = [replace(record, label=_one_class(cfg, record.label)) for record in dataset.records]
        group_of = dict(enumerate(groups.of_class))
        if stage == "selector":
            dataset.records = [
                replace(record, label=group_of.get(record.label, record.label)) for record in dataset.records
            ]
            dataset.class_names = groups.names
        elif stage == "experts" and cfg.TSTL.EXPERT_VIDEOS == "group":
            number = cfg.TSTL.EXPERTS
            own = [record for record in dataset.records if group_of.get(record.label) == number]
            if not own:
                raise UserError(
                    f"TSTL.EXPERTS {number}: the {split} split has no video of the classes of group {number} "
                    f"({', '.join(map(str, groups.members[number]))}); check TSTL.GROUPS_PATH {cfg.TSTL.GROUPS_PATH}"
                )
            dataset.records = [replace(record, video_id=row) for row, record in enumerate(own)]
            dataset.num_videos = len(own)
        return dataset


def _one_class(cfg, label):
    """A label as a class number; a verb and a noun are the class verb * nouns + noun."""
    if isinstance(label, int):
        return label
    heads = cfg.MODEL.HEAD_CLASSES
    if not isinstance(label, tuple) or len(heads) != 2 or not all(0 <= own < many for own, many in zip(label, heads)):
        raise UserError(
            f"TSTL.DATASET {cfg.TSTL.DATASET}: TSTL needs one class a video, got the label {label!r}; a verb and a "
            "noun make one, with MODEL.HEAD_CLASSES [verbs, nouns]"
        )
    return label[0] * heads[1] + label[1]


def checked_stage(cfg):
    """The Groups of a run of a stage. Raises: ConfigError, UserError: keys that do not fit the stage."""
    tstl, classes = cfg.TSTL, cfg.MODEL.NUM_CLASSES
    if tstl.STAGE not in STAGES or tstl.EXPERT_VIDEOS not in VIDEOS:
        key, allowed = ("STAGE", STAGES) if tstl.STAGE not in STAGES else ("EXPERT_VIDEOS", VIDEOS)
        raise ConfigError(f"TSTL.{key}: got {tstl[key]!r}, expected one of {', '.join(map(repr, allowed))}")
    if tstl.STAGE != "selector":
        groups = read_groups(tstl.GROUPS_PATH, classes)
        if tstl.STAGE == "experts" and tstl.EXPERTS not in range(groups.num_groups):
            raise ConfigError(f"TSTL.EXPERTS: got {tstl.EXPERTS!r}, expected one expert for one run")
        return groups
    groups = read_groups(tstl.GROUPS_PATH)
    if groups.num_groups != classes:
        raise ConfigError(
            f"MODEL.NUM_CLASSES: got {classes}, but a selector's classes are the {groups.num_groups} groups of "
            f"TSTL.GROUPS_PATH {tstl.GROUPS_PATH}"
        )
    if cfg.DATA.RANDOM_FLIP and cfg.DATA.FLIP_SWAPS_LABELS:
        raise ConfigError("DATA.FLIP_SWAPS_LABELS: got True, but the selector's labels are groups; set it False")
    return groups


def _for_all_classes(cfg, groups):
    whole = cfg.clone()
    whole.defrost()
    whole.MODEL.NUM_CLASSES = groups.num_classes
    whole.freeze()
    return whole
