"""Checkpoints of a model that is shared out: every process writes its part, resuming reads only its own."""

from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp

from slowfast.engine.processes.sharding import hand_out
from slowfast.engine.saving.checkpoints import Checkpointer, os_error, take_over
from slowfast.engine.saving.state import TrainState
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.io import sha256_file
from slowfast.weights import frozen_digest, read_file, source_of
from slowfast.weights.shard_reader import read_shards, shard_shapes
from slowfast.weights.shards import SHARDS, describe_shards, is_in_shards, merge, remove_unused, split
from slowfast.weights.trained_part import SOURCE

SUMS = ".sha256"  # behind a shard's name: the digest of what its process wrote, until the checkpoint is published


class _SummingWriter(dcp.FileSystemWriter):
    """Leaves the SHA-256 of each file beside it, so that nobody has to read it twice."""

    def write_data(self, plan, planner):
        try:
            future = super().write_data(plan, planner)
        except RuntimeError as error:  # torch's writer hides what the disk said, and other processes hear only this
            cause = os_error(error)
            raise OSError(cause.errno, cause.strerror) if cause is not None else error from None
        for name in {result.storage_data.relative_path for result in future.wait()}:
            path = Path(self.path) / name
            path.with_name(name + SUMS).write_text(sha256_file(path))
        return future


class ShardedCheckpointer(Checkpointer):
    """As Checkpointer, of a TrainState whose tensors are DTensors; every process calls its methods.

    A checkpoint is a file of the same name, and a folder shards_* beside it. The folder is written first; the file,
    replaced whole, then makes it valid. Folders that no file names any more are removed.

    Args: cfg: as Checkpointer's, and DIST.TIMEOUT_SEC.
    """

    def __init__(self, cfg):
        super().__init__(cfg)
        # of its own, since a background write runs beside the gradients; on the CPU, since files are
        self.group = dist.new_group(backend="gloo", timeout=timedelta(seconds=cfg.DIST.TIMEOUT_SEC))

    def remember_frozen(self, model):
        """Before `model`, whole in the main process alone, is shared out: what checkpoints say of its frozen part."""
        source = distributed.broadcast_object(source_of(model))
        if source:
            setattr(model, SOURCE, source)
        if self.trainable_only or source:
            self.frozen = distributed.broadcast_object(frozen_digest(model) if distributed.is_main() else None)

    def holds(self, state):
        return distributed.broadcast_object(super().holds(state))

    def _takes_part(self):
        return True

    def _write(self, name, payload, *, best=False, step=None):
        try:
            tensors, places, rest = split(payload)
            folder = self._new_folder(payload["train_state"]["step"])
            dcp.save(tensors, storage_writer=_SummingWriter(folder), process_group=self.group)
        except dcp.CheckpointException as error:
            if distributed.is_main():
                remove_unused(self.folder)
            rank, (cause, _) = next(iter(error.failures.items()))
            if not isinstance(cause, OSError):
                raise RuntimeError(f"process {rank} could not write its shard: {cause!r}") from None
            raise UserError(
                f"cannot write the shard of process {rank} in {folder}: {cause.strerror}. The checkpoints before it "
                "stay as they are. Free space or change OUTPUT_DIR"
            ) from None
        if distributed.is_main():
            rest[SHARDS] = {"folder": folder.name, "files": _sums(folder), "tensors": places}
            super()._write(name, rest, best=best, step=step)
        elif step is not None:
            self.saved_step = step

    def _new_folder(self, step):
        """A new folder that all processes write to. Raises: UserError: it cannot be made."""
        box = [None, None]
        if distributed.is_main():
            number = 0
            while (folder := self.folder / f"shards_{step:08d}_{number}").exists():
                number += 1
            try:
                folder.mkdir(parents=True)
                box[0] = str(folder)
            except OSError as error:
                box[1] = f"cannot write {folder}: {error.strerror}. Free space or change OUTPUT_DIR"
        dist.broadcast_object_list(box, src=0, group=self.group)
        if box[1]:
            raise UserError(box[1])
        return Path(box[0])


def _sums(folder):
    """What the processes left of their files' digests, collected; see `describe_shards`."""
    digests = {}
    for path in folder.glob(f"*{SUMS}"):
        digests[path.name.removesuffix(SUMS)] = path.read_text()
        path.unlink()
    return describe_shards(folder, digests)


def resume_sharded(state, path, device):
    """As `resume`, of a state whose model is shared out; from shards of any number of processes, or from whole tensors.

    Frozen parameters that the checkpoint leaves out keep their values. All processes call it.

    Raises: UserError as `resume`.
    """
    content = read_file(path) if distributed.is_main() else None
    sources, plan = {}, None
    if distributed.is_main():
        if is_in_shards(content):
            shapes, places, rest = shard_shapes(content, path), content[SHARDS]["tensors"], content
        else:
            sources, places, rest = split(content)
            shapes = {key: (tensor.shape, tensor.dtype) for key, tensor in sources.items()}
        plan = (rest, places, shapes)
    rest, places, shapes = distributed.broadcast_object(plan)
    if not TrainState.is_held_by(rest):
        take_over(state, rest, path)
    if state.average is None:
        places = {key: place for key, place in places.items() if place[0] != "average_state"}
    targets = {key: _target(state, places[key], *shapes[key], path) for key in places}
    if is_in_shards(rest):
        read_shards(rest, path, targets)
    else:
        for key, target in targets.items():
            hand_out(sources.get(key), target, device)
    payload = merge(rest, targets, places)
    payload["model_state"] = {**state.model.state_dict(), **payload["model_state"]}
    take_over(state, payload, path)


def _target(state, place, shape, dtype, path):
    """An empty tensor, shared out as the one of the state that it is for."""
    part, *names = place
    like = None
    if part == "model_state":
        like = state.model.state_dict().get(names[0])
    elif part == "average_state" and state.average is not None:
        like = state.average.average.get(names[0])
    elif part == "optimizer_state":
        parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
        index = names[1]
        like = parameters[index] if shape and index < len(parameters) else None
    if like is None:
        return torch.empty(shape, dtype=dtype)
    if like.shape != shape:
        raise UserError(
            f"{path} does not fit this configuration: {'.'.join(map(str, names))} has shape {tuple(shape)} in it, "
            f"{tuple(like.shape)} here. Give the run another OUTPUT_DIR, or set TRAIN.AUTO_RESUME False"
        )
    return torch.zeros_like(like, dtype=dtype, requires_grad=False)
