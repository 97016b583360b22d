"""What a training run starts with: model, optimizer and moving average, filled, whole or shared out over processes."""

import torch

from slowfast.config import derive
from slowfast.engine.precision import DTYPES
from slowfast.engine.saving.checkpoints import Checkpointer
from slowfast.engine.saving.initial import fill, find_start, initialise
from slowfast.engine.saving.state import TrainState
from slowfast.engine.step import OptimizerStep
from slowfast.models import build_model
from slowfast.solver.ema import MovingAverage
from slowfast.solver.optimizer import build_optimizer
from slowfast.utils import distributed
from slowfast.utils.rng import seed_torch


def shares_out(cfg):
    """Whether this run's model is shared out over its processes; in a single one, nothing is."""
    return cfg.TRAIN.PARALLEL == "fsdp" and distributed.world_size() > 1


def start_training(cfg, device, task, course, lr):
    """Build a run's model and bring it to where training starts: its last checkpoint, a named file, its class's start.

    Args:
        device: torch.device of this process.
        course: `Course.signature`.
        lr: learning rate to begin with.
    Returns:
        (TrainState, OptimizerStep, Checkpointer), the step's model still without a distributed wrapper.
    Raises: UserError: as `find_start`, `fill` and `resume`.
    """
    seed_torch(cfg.RNG_SEED, "initialise")
    if shares_out(cfg):
        return _start_shared_out(cfg, device, task, course, lr)
    state, step = _around(build_model(cfg).to(device), cfg, device, task, course, lr)
    checkpoints = Checkpointer(cfg)
    initialise(state, cfg, checkpoints)
    return state, step, checkpoints


def _start_shared_out(cfg, device, task, course, lr):
    """As `start_training`; the whole model exists once, in the main process's CPU memory, until all have a part."""
    from slowfast.engine.saving.sharded import ShardedCheckpointer, resume_sharded  # a second to import

    checkpoints = ShardedCheckpointer(cfg)
    start = find_start(cfg, checkpoints)
    model = build_model(cfg) if distributed.is_main() else build_empty(cfg)
    if distributed.is_main():
        fill(model, start, cfg)
    checkpoints.remember_frozen(model)
    state, step = _around(share_out(model, cfg, device), cfg, device, task, course, lr)
    if start.resumes:
        resume_sharded(state, start.path, device)
    return state, step, checkpoints


def build_empty(cfg):
    """The model on the meta device: shapes alone."""
    with torch.device("meta"):
        return build_model(cfg)


def share_out(model, cfg, device):
    """`sharding.shard` as the configuration says."""
    from slowfast.engine.processes.sharding import shard

    return shard(model, device, dtype=DTYPES[derive.precision(cfg)], offload=cfg.DIST.CPU_OFFLOAD)


def _around(model, cfg, device, task, course, lr):
    """(TrainState, OptimizerStep) of a model."""
    optimizer = build_optimizer(model, cfg, lr)
    step = OptimizerStep.from_cfg(cfg, model, optimizer, task, device)
    average = MovingAverage(model, cfg.SOLVER.EMA_DECAY) if cfg.SOLVER.EMA_DECAY else None
    scaler, batch = step.precision.scaler, derive.effective_batch(cfg)
    return TrainState(model, optimizer, scaler, batch, average, course=course), step
