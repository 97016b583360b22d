"""One optimizer step: micro-batches forward and backward, clipping, update."""

from contextlib import nullcontext

from torch.nn.parallel import DistributedDataParallel

from slowfast.config import derive
from slowfast.engine.guard import LossGuard, StepRecord
from slowfast.engine.precision import Precision
from slowfast.engine.processes import watchdog
from slowfast.solver.optimizer import clip_gradients, set_lr
from slowfast.utils import distributed
from slowfast.utils.rng import seed_torch


class OptimizerStep:
    """Trains a model by one effective batch a call.

    Args:
        model: what computes the loss, possibly a distributed wrapper.
        optimizer: of the model's parameters.
        task: gives loss and counts.
        precision: Precision.
        seed: RNG_SEED; dropout and drop path draw from (seed, step, micro-batch, rank).
        max_value, max_norm: gradient clipping, by value else by norm; None: off.
    """

    def __init__(self, model, optimizer, task, precision, *, seed, max_value=None, max_norm=None):
        self.model = model
        self.optimizer = optimizer
        self.task = task
        self.precision = precision
        self.seed = seed
        self.max_value = max_value
        self.max_norm = max_norm
        self.guard = LossGuard()

    @classmethod
    def from_cfg(cls, cfg, model, optimizer, task, device):
        return cls(
            model,
            optimizer,
            task,
            Precision(derive.precision(cfg), device),
            seed=cfg.RNG_SEED,
            max_value=cfg.SOLVER.CLIP_GRAD_VAL,
            max_norm=cfg.SOLVER.CLIP_GRAD_L2NORM,
        )

    def __call__(self, batches, *, lr, step, epoch):
        """Args: batches: the effective batch as a list of (ClipBatch, normalised frames); lr; step, epoch: from 0.

        Returns:
            dict of 0-D sums over this process: "loss" times clips, "clips", "grad_norm", "steps", the task's counts.
        """
        set_lr(self.optimizer, lr)
        sums, losses = {}, []
        for micro, (batch, frames) in enumerate(batches):
            seed_torch(self.seed, "step", step, micro, distributed.rank())
            with self._reducing(last=micro == len(batches) - 1):
                watchdog.beat("forward", micro_step=micro)
                with self.precision.autocast():
                    loss, counts = self.task.loss(self.model, frames, batch.labels)
                watchdog.beat("backward")
                self.precision.scaler.scale(loss / len(batches)).backward()
            losses.append(loss.detach())
            clips = len(batch.labels)
            for name, value in {"loss": losses[-1] * clips, "clips": clips, **counts}.items():
                sums[name] = sums.get(name, 0.0) + value
        watchdog.beat("updating")
        norm, names, norms = self._update()
        ids = [batch.video_ids for batch, _ in batches]
        guarded = not self.precision.scaler.is_enabled() and self.max_value is None
        self.guard.record(StepRecord(step, epoch, lr, losses, ids, norms, names, guarded))
        return sums | {"grad_norm": norm, "steps": 1}

    def _reducing(self, *, last):
        """Gradients are summed over the processes once, with the last micro-batch."""
        if hasattr(self.model, "set_requires_gradient_sync"):  # it is shared out
            self.model.set_requires_gradient_sync(last)
        if last or not isinstance(self.model, DistributedDataParallel):
            return nullcontext()
        return self.model.no_sync()

    def _update(self):
        """(total gradient norm, names of the updated parameters, each one's gradient norm)."""
        scaler = self.precision.scaler
        scaler.unscale_(self.optimizer)
        named = [pair for group in self.optimizer.param_groups for pair in zip(group["names"], group["params"])]
        names = [name for name, parameter in named if parameter.grad is not None]
        total, norms = clip_gradients(
            [parameter for _, parameter in named], max_value=self.max_value, max_norm=self.max_norm
        )
        scaler.step(self.optimizer)
        scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return total, names, norms
