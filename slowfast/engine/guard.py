"""Stops a run whose loss or gradient is no longer a number, and leaves a black box: all that is known of that step."""

import json
import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import torch

from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text

STEPS_KEPT = 3  # the outcome of a step is known one step later


@dataclass
class StepRecord:
    """What a process did in one optimizer step.

    Args:
        step, epoch: from 0; lr: learning rate.
        losses: 0-D tensors, one a micro-batch.
        video_ids: tensors, rows of the train split, one a micro-batch.
        gradient_norms: tensor (P,), of each trained parameter with a gradient, before clipping; the same in all
            processes.
        names: of these P parameters.
        guards_gradients: a gradient that is no number would reach the weights; nothing scales or clamps it.
    """

    step: int
    epoch: int
    lr: float
    losses: list
    video_ids: list
    gradient_norms: torch.Tensor
    names: list
    guards_gradients: bool = True

    def nonfinite(self):
        """0-D bool tensor; reading it is left to others, as it may make a GPU wait."""
        numbers = torch.stack([loss.float() for loss in self.losses])
        if self.guards_gradients:
            numbers = torch.cat([numbers, self.gradient_norms.float()])
        return ~torch.isfinite(numbers).all()


class LossGuard:
    """Keeps the records of the last steps, and turns them into a file and an error when one must not be followed."""

    def __init__(self):
        self.records = deque(maxlen=STEPS_KEPT)

    def record(self, record):
        self.records.append(record)

    def nonfinite(self):
        """Whether the last step's loss or gradient of this process is no number: 0-D bool tensor on the device."""
        return self.records[-1].nonfinite()

    def stop(self, output_dir, scaler, last_checkpoint=None):
        """End a run in which some process has met what is no number; all processes call it together.

        Args:
            output_dir: folder of nonfinite_step_NNNNNNNN.json.
            scaler: gradient scaler, as it is by now.
            last_checkpoint: path, for the message.
        Raises: UserError naming step, learning rate, videos, and the file.
        """
        shares = distributed.gather_objects([_share(record) for record in self.records])
        bad = (i for i, record in enumerate(self.records) if record.nonfinite() or not _all_finite(shares, i))
        index = next(bad)
        record = self.records[index]
        found = {
            "step": record.step + 1,
            "epoch": record.epoch + 1,
            "lr": record.lr,
            "scaler": scaler.state_dict(),
            "processes": [{"rank": rank, **share[index]} for rank, share in enumerate(shares)],
            "gradient_norms": by_layer(record.names, record.gradient_norms.tolist()),
        }
        path = Path(output_dir) / f"nonfinite_step_{found['step']:08d}.json"
        note = f"{path} holds losses and videos of all processes and the gradients' norms"
        if distributed.is_main():
            try:
                atomic_write_text(path, json.dumps(_as_json(found), indent=2) + "\n")
            except OSError as error:
                note = f"{path} cannot be written ({error.strerror})"
        first = min(found["processes"], key=lambda process: process["finite"])
        subject = "a gradient is no number, the loss" if first["finite"] else "the loss"
        raise UserError(
            f"{subject} is {first['losses']} at step {found['step']} (epoch {found['epoch']}) with lr {record.lr:.3g} "
            f"in process {first['rank']}; row numbers (from 0) of its videos in the train split: {first['rows']}. "
            f"{note}. Last good checkpoint: {last_checkpoint or 'none yet'}. Lower SOLVER.BASE_LR, set "
            "SOLVER.CLIP_GRAD_L2NORM, or compute in another TRAIN.PRECISION (fp32, bf16)."
        )


def _all_finite(shares, index):
    return all(share[index]["finite"] for share in shares)


def _share(record):
    """A process's part of the black box: losses and rows, a list each with an item a micro-batch."""
    losses = [loss.item() for loss in record.losses]
    return {
        "losses": losses,
        "finite": all(map(math.isfinite, losses)),
        "rows": [ids.tolist() for ids in record.video_ids],
    }


def by_layer(names, norms):
    """Norms of parameters -> dict layer -> norm of all its parameters' gradients; layers in the order of `names`."""
    squares = {}
    for name, norm in zip(names, norms, strict=True):
        layer = name.rpartition(".")[0] or name
        squares[layer] = squares.get(layer, 0.0) + norm * norm
    return {layer: math.sqrt(square) for layer, square in squares.items()}


def _as_json(value):
    """JSON has no NaN and no infinity: they become text."""
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
