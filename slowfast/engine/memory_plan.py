"""A training run's memory before it is tried: predicted by part, and the micro-batch that fits (TRAIN.AUTO_BATCH)."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from slowfast.config import derive
from slowfast.config.check import find_problems
from slowfast.engine.multigrid import build_course
from slowfast.engine.precision import DTYPES
from slowfast.engine.processes.data_parallel import summing_bytes
from slowfast.engine.processes.shares import with_batch
from slowfast.models import build_model
from slowfast.models.layers.block import wrapping_units
from slowfast.models.step_memory import StepMemory, step_memory
from slowfast.tasks import build_task
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger
from slowfast.utils.tube_masks import num_hidden_patches

MARGIN = 0.9  # part of the device's memory that a prediction may take
GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class MemoryPlan:
    """Predicted bytes of one process in training.

    step: StepMemory of the largest micro-batch. optimizer: state of all trained parameters. average: the moving
    average. gathered: what several processes have of each other at once. shape: (clips, frames, px) of that
    micro-batch. With TRAIN.PARALLEL fsdp all others are of a process's part.
    """

    step: StepMemory
    optimizer: int
    average: int
    gathered: int
    shape: tuple

    @property
    def peak(self):
        return self.step.peak + self.optimizer + self.average + self.gathered


def plan_memory(cfg, model, device):
    """MemoryPlan of the micro-batch that takes most, of all shapes that the run trains.

    Args:
        model: of the config, on any device; left as it is.
        device: torch.device of the run.
    """
    processes = _processes(cfg, device)
    clips = cfg.TRAIN.BATCH_SIZE * cfg.NUM_SHARDS // processes
    clips *= cfg.AUG.NUM_SAMPLE if cfg.AUG.ENABLE else 1
    phases = build_course(cfg).phases
    shapes = {(shape.multiple * clips, shape.num_frames, shape.crop_size) for phase in phases for shape in phase.shapes}
    steps = {shape: _step(cfg, model, shape, device) for shape in sorted(shapes)}
    shape = max(steps, key=lambda shape: steps[shape].peak)
    step = steps[shape]
    gathered = 0
    if processes > 1 and cfg.TRAIN.PARALLEL == "fsdp":
        step = _part_of(step, cfg, processes)
        gathered = _gathered(model, DTYPES[derive.precision(cfg)])
    elif processes > 1 and device.type == "cpu" and not cfg.DIST.COMM_HOOK:
        gathered = summing_bytes(model)
    trained = step.weights
    return MemoryPlan(
        step=step,
        optimizer=round(trained * _states(cfg.SOLVER)),
        average=trained if cfg.SOLVER.EMA_DECAY else 0,
        gathered=gathered,
        shape=shape,
    )


def _step(cfg, model, shape, device):
    clips, frames, crop = shape
    task = build_task(cfg)
    return step_memory(
        model,
        partial(_loss, task),
        (clips, cfg.DATA.INPUT_CHANNEL_NUM[0], frames, crop, crop),
        training_labels(cfg, task, shape),
        device=device,
        autocast=DTYPES[derive.precision(cfg)],
        kept_gradients=cfg.SOLVER.ACCUMULATE_STEPS > 1 or _processes(cfg, device) > 1,
    )


def _part_of(step, cfg, processes):
    """StepMemory of a process that keeps a part of all weights; whole gradients only while micro-batches add up."""
    left = 1 - 1 / processes
    whole_gradients = cfg.SOLVER.ACCUMULATE_STEPS > 1
    spared = left * (step.weights + step.frozen + (0 if whole_gradients else step.gradients))
    return StepMemory(
        weights=round(step.weights / processes),
        frozen=round(step.frozen / processes),
        gradients=step.gradients if whole_gradients else round(step.gradients / processes),
        activations=step.activations,
        peak=round(step.peak - spared),
    )


def _gathered(model, dtype):
    """Bytes beside the parts: what is in no unit, two units (one computes, one comes), the gradients of one."""
    sizes = [sum(parameter.numel() for parameter in unit.parameters()) for unit in wrapping_units(model)]
    rest = sum(parameter.numel() for parameter in model.parameters()) - sum(sizes)
    number = torch.finfo(dtype or torch.float32).bits // 8
    return 4 * rest + max(sizes, default=0) * (2 * number + number + 4)


def _processes(cfg, device):
    """Of the whole run: those that are there, else those that it will have."""
    if distributed.is_initialized():
        return distributed.world_size()
    return derive.num_processes(cfg, device.type == "cuda") * cfg.NUM_SHARDS


def _loss(task, model, frames, labels):
    return task.loss(model, frames, labels)[0]


def training_labels(cfg, task, shape):
    """Labels as the run's batches have them, with any values."""
    clips, frames, crop = shape
    name, classes = derive.task_name(cfg), cfg.MODEL.NUM_CLASSES
    if name == "masked_pretraining":
        steps, patches = frames // cfg.VIDEO_VIT.TUBELET_SIZE, (crop // cfg.VIDEO_VIT.PATCH_SIZE) ** 2
        hidden = torch.arange(steps * num_hidden_patches(cfg.VIDEO_MAE.MASK_RATIO, patches))
        return hidden.expand(clips, -1).contiguous()
    if name == "multi_label":
        return torch.zeros(clips, classes)
    labels = torch.zeros((clips, 2) if name == "verb_noun" else clips, dtype=torch.int64)
    return task.soft_labels(labels, 0.0) if derive.mixes(cfg) else labels


def _states(solver):
    """Float32 numbers that the optimizer keeps for a trained parameter; 256 8-bit ones share a scale."""
    if solver.OPTIMIZING_METHOD == "sgd":
        return 1 if solver.MOMENTUM else 0
    return 2 if solver.STATE_BITS == 32 else 2 * (1 / 4 + 1 / 256)


def describe_memory(plan, device):
    """Rows (name, text) for the table of a run: each part, and what all take together at most."""
    clips, frames, crop = plan.shape
    parts = {
        "weights": plan.step.weights,
        "gradients": plan.step.gradients,
        "optimizer": plan.optimizer,
        "activations": plan.step.activations,
        "frozen": plan.step.frozen,
        "moving average": plan.average,
        "gathered": plan.gathered,
    }
    text = ", ".join(f"{name} {size / MIB:,.0f}" for name, size in parts.items())
    where = "GPU" if device.type == "cuda" else "process, beside Python's own and the data workers'"
    return [
        ("memory", f"{plan.peak / MIB:,.0f} MiB predicted at most in each {where}, {clips} x {frames} x {crop}² px"),
        ("of it, MiB", text),
    ]


def memory_warning(cfg, plan, device):
    """What to switch on where the plan takes more than there is; "" where it fits."""
    limit = memory_limit(cfg, device)
    if plan.peak <= limit:
        return ""
    return (
        f"{plan.peak / GIB:.2f} GiB are predicted, {limit / GIB:.2f} GiB are there: this run would not fit. "
        f"{_advice(cfg)}; or TRAIN.AUTO_BATCH True, which takes smaller micro-batches"
    )


def fit_batch(cfg, device):
    """The config with the largest micro-batch that is predicted to fit; `cfg` itself without TRAIN.AUTO_BATCH.

    TRAIN.BATCH_SIZE and SOLVER.ACCUMULATE_STEPS change so that their product, and with it effective batch and learning
    rate, stays. All processes take what the first one finds.

    Raises: UserError: not even a single clip a process fits; it says what to switch on.
    """
    if not cfg.TRAIN.AUTO_BATCH:
        return cfg
    sizes = _largest_fitting(cfg, device) if distributed.is_main() else None
    sizes = distributed.broadcast_object(sizes)
    if isinstance(sizes, str):
        raise UserError(sizes)
    return with_batch(cfg, *sizes)


def _largest_fitting(cfg, device):
    """(TRAIN.BATCH_SIZE, SOLVER.ACCUMULATE_STEPS), or why there is none."""
    with torch.device("meta"):
        model = build_model(cfg)
    limit = memory_limit(cfg, device)
    clips = cfg.TRAIN.BATCH_SIZE * cfg.SOLVER.ACCUMULATE_STEPS
    plan, tried = None, 0
    for size in sorted((n for n in range(1, clips + 1) if clips % n == 0), reverse=True):
        other = with_batch(cfg, size, clips // size)
        if size * cfg.NUM_SHARDS % _processes(cfg, device) or find_problems(other):
            continue
        plan, tried = plan_memory(other, model, device), size
        if plan.peak <= MARGIN * limit:
            get_logger().info(
                f"TRAIN.AUTO_BATCH: TRAIN.BATCH_SIZE {size} x SOLVER.ACCUMULATE_STEPS {clips // size}, predicted "
                f"{plan.peak / GIB:.2f} of {limit / GIB:.2f} GiB; effective batch and learning rate stay"
            )
            return size, clips // size
    smallest = f"{plan.peak / GIB:.2f} GiB for TRAIN.BATCH_SIZE {tried}" if plan else "no batch is allowed at all"
    return (
        f"TRAIN.AUTO_BATCH: nothing fits in {MARGIN:.0%} of {limit / GIB:.2f} GiB: {smallest}, the smallest that the "
        f"configuration allows. {_advice(cfg)}"
    )


def _advice(cfg):
    """What makes a step smaller, of what is not on yet."""
    advice = []
    if not cfg.MODEL.ACT_CHECKPOINT:
        advice.append("MODEL.ACT_CHECKPOINT True")
    elif cfg.MODEL.ACT_CHECKPOINT_KEEP:
        advice.append("MODEL.ACT_CHECKPOINT_KEEP []")
    if derive.precision(cfg) == "fp32":
        advice.append("TRAIN.PRECISION bf16")
    if cfg.AUG.ENABLE and cfg.AUG.NUM_SAMPLE > 1:
        advice.append("AUG.NUM_SAMPLE 1")
    return f"Set {', '.join([*advice, 'fewer DATA.NUM_FRAMES or a smaller DATA.TRAIN_CROP_SIZE'])}"


def memory_limit(cfg, device):
    """Bytes that a process may take: TRAIN.MEMORY_LIMIT_GIB, else what is free on its GPU, or its share of the RAM."""
    if cfg.TRAIN.MEMORY_LIMIT_GIB:
        return cfg.TRAIN.MEMORY_LIMIT_GIB * GIB
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return _free_ram() / derive.num_processes(cfg, False)


def _free_ram():
    """Bytes; a container's own limit where it has one."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        free = next(int(row.split()[1]) * 2**10 for row in meminfo.read_text().splitlines() if "MemAvailable" in row)
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.exists() and limit.read_text().strip().isdigit():
        free = min(free, int(limit.read_text()) - int(used.read_text()))
    return free
