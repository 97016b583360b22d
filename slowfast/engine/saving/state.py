"""TrainState: everything that changes while training, in one place; a checkpoint holds exactly this."""

from dataclasses import dataclass, field

import torch
from torch import nn

from slowfast.solver.ema import MovingAverage
from slowfast.solver.optimizer import load_optimizer_state


@dataclass
class TrainState:
    """A position in training and all that was learnt up to it.

    Args:
        model: the bare module, without a distributed wrapper.
        optimizer: its optimizer.
        scaler: gradient scaler; disabled outside fp16.
        average: moving average of the weights; None: there is none.
        course: `Course.signature`; positions inside an epoch depend on it, too.
        effective_batch: clips per optimizer step over all processes; positions inside an epoch depend on it.
        epoch: epochs finished, = index of the running one.
        step_in_epoch: optimizer steps finished in the running epoch.
        step: optimizer steps finished in all.
        sums: running totals of the epoch's training metrics of this run, over all processes.
        best: best value of the task's primary metric in validation so far; None before the first.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    effective_batch: int
    average: MovingAverage | None = None
    course: str = ""
    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    sums: dict = field(default_factory=dict)
    best: float | None = None

    COUNTERS = ("effective_batch", "course", "epoch", "step_in_epoch", "step", "sums", "best")

    def finish_step(self):
        if self.average is not None:
            self.average.update(self.model)
        self.step_in_epoch += 1
        self.step += 1

    def finish_epoch(self):
        self.epoch += 1
        self.step_in_epoch = 0
        self.sums = {}

    def add_sums(self, sums):
        for name, value in sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def state_dict(self):
        """Plain containers and tensors only, readable with torch.load(weights_only=True).

        `epoch`, `model_state`, `optimizer_state` and `scaler_state` stand where PySlowFast's checkpoints have them
        (`epoch` is the index of the last finished epoch, -1 before that).
        """
        return {
            "epoch": self.epoch - 1,
            "model_state": self.model.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "scaler_state": self.scaler.state_dict(),
            "average_state": self.average.state_dict() if self.average is not None else None,
            "train_state": {name: getattr(self, name) for name in self.COUNTERS},
        }

    @classmethod
    def is_held_by(cls, content):
        """Whether a file's content has the parts of a checkpoint of this trainer; whether they fit is another thing."""
        parts = ("model_state", "optimizer_state", "scaler_state", "train_state")
        if not isinstance(content, dict) or not all(isinstance(content.get(part), dict) for part in parts):
            return False
        counters = content["train_state"]
        integers = ("effective_batch", "epoch", "step_in_epoch", "step")
        return counters.keys() >= set(cls.COUNTERS) and all(isinstance(counters[name], int) for name in integers)

    def load_state_dict(self, payload):
        """Take over a checkpoint of this trainer; the model's keys and shapes must fit exactly.

        Raises: RuntimeError, KeyError or ValueError where the checkpoint is of another model or optimizer.
        """
        self.model.load_state_dict(payload["model_state"])
        load_optimizer_state(self.optimizer, payload["optimizer_state"])
        if self.scaler.is_enabled() and payload["scaler_state"]:
            self.scaler.load_state_dict(payload["scaler_state"])
        if self.average is not None:
            if not payload.get("average_state"):
                raise ValueError("it holds no moving average; set SOLVER.EMA_DECAY 0.0")
            self.average.load_state_dict(payload["average_state"])
        for name in self.COUNTERS:
            if name not in ("effective_batch", "course"):
                setattr(self, name, payload["train_state"][name])
