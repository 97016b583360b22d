"""Stops a run whose loss is no longer a number, and leaves a black box: all that is known of that step."""

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
    """

    step: int
    epoch: int
    lr: float
    losses: list
    video_ids: list
    gradient_norms: torch.Tensor
    names: list

    def nonfinite(self):
        """0-D bool tensor; reading it is left to others, as it may make a GPU wait."""
        return ~torch.isfinite(torch.stack([loss.float() for loss in self.losses])).all()


class LossGuard:
    """Keeps the records of the last steps, and turns them into a file and an error when one must not be followed."""

    def __init__(self):
        self.records = deque(maxlen=STEPS_KEPT)

    def record(self, record):
        self.records.append(record)

    def nonfinite(self):
        """Whether the last step's loss of this process is no number: 0-D bool tensor on the device."""
        return self.records[-1].nonfinite()

    def stop(self, output_dir, scaler, last_checkpoint=None):
        """End a run in which some process has met a loss that is no number; all processes call it together.

        Args:
            output_dir: folder of nonfinite_step_XXXXXXXX.json.
            scaler: gradient scaler, as it is by now.
            last_checkpoint: path, for the message.
        Raises: UserError naming step, learning rate, videos, and the file.
        """
        shares = distributed.gather_objects([_share(record) for record in self.records])
        index = next(i for i in range(len(self.records)) if any(not share[i]["finite"] for share in shares))
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
        if distributed.is_main():
            atomic_write_text(path, json.dumps(_as_json(found), indent=2) + "\n")
        first = next(process for process in found["processes"] if not process["finite"])
        raise UserError(
            f"the loss is {first['losses']} at step {found['step']} (epoch {found['epoch']}) with lr {record.lr:.3g} "
            f"in process {first['rank']}; row numbers (from 0) of its videos in the train split: {first['rows']}. "
            f"{path} holds losses and videos of all processes and the gradients' norms. "
            f"Last good checkpoint: {last_checkpoint or 'none yet'}. Lower SOLVER.BASE_LR, set "
            "SOLVER.CLIP_GRAD_L2NORM, or compute in another TRAIN.PRECISION (fp32, bf16)."
        )


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
