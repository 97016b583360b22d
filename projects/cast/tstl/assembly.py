"""Selector and experts, trained here or elsewhere, put together as one TSTL over one trunk."""

import re
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from projects.cast.model import is_expert
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write, sha256_file
from slowfast.weights import (
    fetch,
    frozen_digest,
    load_pretrained,
    load_weights,
    read_checkpoint,
    start,
    state_dict_of,
    without_frozen,
)
from slowfast.weights.trained_part import DIGEST, frozen_part

FOLDER = re.compile(r"expert_(\d+)")  # of an expert's run


@dataclass(frozen=True)
class MemberReport:
    """What became of a member's file.

    place: "selector" or "experts.N". own: parameters of its own. differs: names of the trunk's parameters that the file
    has otherwise, kept. absent: names of the trunk's that it lacks; None: it has none of it, but the same hash.
    unknown: names that no TSTL has.
    """

    place: str
    path: str
    sha256: str
    own: int
    differs: list
    absent: list | None
    unknown: list

    def __str__(self):
        trunk = "trained over this trunk" if self.absent is None else "what it has of the trunk is the same"
        parts = [f"{self.place}: {self.path}: {self.own} tensors of its own"]
        parts.append(
            f"{len(self.differs)} of the trunk DIFFER, kept: {_listed(self.differs)}" if self.differs else trunk
        )
        parts += [f"{len(self.absent)} of the trunk not in it: {_listed(self.absent)}"] if self.absent else []
        parts += [f"{len(self.unknown)} without a place: {_listed(self.unknown)}"] if self.unknown else []
        return "; ".join(parts)


def fill_trunk(model, cfg, selector):
    """Fill the trunk of a TSTL from TRAIN.CHECKPOINT_FILE_PATH, a file of all weights, else as training does.

    Where no key says from where, it is that of the selector's file.

    Args: selector: path of that file.
    Returns: texts for the log. Raises: UserError: it cannot be had.
    """
    source = cfg.TRAIN.CHECKPOINT_FILE_PATH
    if not source and (cfg.CAST.CLIP_PATH or cfg.CAST.VIDEOMAE_PATH):
        return start(model, cfg)
    key, source = ("TRAIN.CHECKPOINT_FILE_PATH", source) if source else ("--selector", str(selector))
    path = fetch(source, cache_dir=cfg.WEIGHTS.CACHE_DIR)
    state = state_dict_of(read_checkpoint(path), path)
    report = load_pretrained(model, {name: tensor for name, tensor in state.items() if is_expert(name)})
    lacking = sorted(frozen_part(model).keys() - set(report.filled))
    if lacking:
        raise UserError(
            f"{key} {source} holds no whole trunk for this model: {_listed(lacking)} missing or "
            "of another shape. Name a CAST checkpoint of all weights, or CAST.CLIP_PATH and CAST.VIDEOMAE_PATH"
        )
    return [f"the trunk is that of {path}"]


def find_experts(paths, num_groups):
    """The files of all experts in the order of their groups.

    Args: paths: files or folders of runs, one a group; or one folder that holds expert_00, expert_01, ...
    Raises: UserError naming the experts that are missing.
    """
    folder = Path(paths[0])
    if len(paths) == 1 and any(FOLDER.fullmatch(path.name) for path in _folders(folder)):
        found = {int(FOLDER.fullmatch(path.name)[1]): path for path in _folders(folder) if FOLDER.fullmatch(path.name)}
        missing = [number for number in range(num_groups) if number not in found]
        if missing:
            words = ",".join(map(str, missing))
            raise UserError(
                f"--experts {folder}: {len(missing)} of {num_groups} experts are missing: {words}. Train them with "
                f"TSTL.EXPERTS {words} and the same OUTPUT_DIR"
            )
        paths = [found[number] for number in range(num_groups)]
    if len(paths) != num_groups:
        raise UserError(
            f"--experts: {len(paths)} given, TSTL.GROUPS_PATH has {num_groups} groups; every group needs its expert, "
            "in the order of the groups"
        )
    return [run_file(path) for path in paths]


def _folders(path):
    return sorted(entry for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []


def run_file(path):
    """The checkpoint that a path stands for: a file itself, of a run's folder the best one, else the last."""
    path = Path(path)
    if not path.is_dir():
        return path
    checkpoints = path / "checkpoints"
    last = checkpoints / "last"
    named = [checkpoints / "best.pyth"] + ([checkpoints / last.read_text().strip()] if last.is_file() else [])
    for candidate in named:
        if candidate.is_file():
            return candidate
    raise UserError(f"{path} holds no checkpoint of a run; train it first, or name a file")


def put_in(model, place, path):
    """Load a member's file into a TSTL whose trunk is filled.

    Args: place: "selector" or "experts.N". path: a CAST with one head, whole, or trained here over this trunk.
    Returns: MemberReport.
    Raises: UserError: another trunk, another number of classes or groups, another expert, something missing.
    """
    content = read_checkpoint(path)
    _check_number(content, place, path)
    state, trunk = state_dict_of(content, path), frozen_part(model)
    lacks_trunk = isinstance(content, dict) and DIGEST in content
    if lacks_trunk and content[DIGEST] != frozen_digest(model):
        raise UserError(
            f"{path} was trained over another trunk: SHA-256 {content[DIGEST][:12]}..., here it is "
            f"{frozen_digest(model)[:12]}.... Name the CAST.CLIP_PATH and CAST.VIDEOMAE_PATH that it was trained with"
        )
    wanted = dict(model.get_submodule(place).named_parameters())
    own = {name: state[name] for name in wanted if name in state and not is_expert(name)}
    _check_own(own, {name: p for name, p in wanted.items() if not is_expert(name)}, place, path)
    differs = [name for name in trunk if name in state and not _equal(state[name], trunk[name])]
    kept = {f"{place}.{name}": tensor for name, tensor in [*own.items(), *((n, state[n]) for n in differs)]}
    model.adopt(kept)
    load_weights(model, kept)
    return MemberReport(
        place,
        str(path),
        sha256_file(path),
        len(own),
        differs,
        None if lacks_trunk else [name for name in trunk if name not in state],
        sorted(state.keys() - trunk.keys() - own.keys()),
    )


def _equal(tensor, other):
    return tensor.shape == other.shape and torch.equal(tensor.to(other.device, other.dtype), other)


def _check_own(own, wanted, place, path):
    missing = sorted(wanted.keys() - own.keys())
    if missing:
        raise UserError(f"{path} is no member of a TSTL with one head: it lacks {_listed(missing)}")
    for name, parameter in wanted.items():
        there, here = tuple(own[name].shape), tuple(parameter.shape)
        if name == "head.weight" and there[1:] == here[1:] and there != here:
            what = "groups (TSTL.GROUPS_PATH)" if place == "selector" else "classes (MODEL.NUM_CLASSES)"
            raise UserError(f"{path}: this {place.partition('s.')[0]} knows {there[0]}, but there are {here[0]} {what}")
        if there != here and not name.startswith("head."):
            raise UserError(f"{path}: {name} is {there} in the file, {here} here; check CAST.SIZE and the CAST keys")


def _check_number(content, place, path):
    """Raises: UserError: the file says that it is another expert's, or another stage's."""
    text = content.get("cfg") if isinstance(content, dict) else None
    section = (yaml.safe_load(text) or {}).get("TSTL", {}) if isinstance(text, str) else {}
    number = section.get("EXPERTS") if section.get("STAGE") == "experts" else None
    told = f"experts.{number}" if number is not None else section.get("STAGE") or place
    if told != place:
        raise UserError(f"{path} was trained as {told}, but is given as {place}; give the experts in their order")


def write_tstl(model, path, groups, reports, *, whole=False):
    """Write one file: what the members have, groups, the trunk's SHA-256, and where each member came from.

    It is a checkpoint for TEST.CHECKPOINT_FILE_PATH. Args: whole: the trunk too. Returns: bytes of the file.
    """
    digest, content = frozen_digest(model), {"model_state": model.state_dict()}
    if not whole:
        content = without_frozen(content, model, digest)
    members = [
        {"place": report.place, "path": report.path, "sha256": report.sha256, "differs": report.differs}
        for report in reports
    ]
    content["tstl"] = {"trunk_sha256": digest, "groups": groups.content(), "members": members}
    atomic_write(path, lambda file: torch.save(content, file))
    return Path(path).stat().st_size


def _listed(names, limit=4):
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{', '.join(names[:limit])}{more}"
