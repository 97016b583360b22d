"""What a run is about to do, in numbers: printed at its start, and by --dry_run instead of it."""

import torch

from slowfast.config import derive
from slowfast.datasets.build import construct_loader
from slowfast.datasets.transforms.build import describe_training
from slowfast.engine.memory_plan import describe_memory, fit_batch, memory_warning, plan_memory
from slowfast.engine.multigrid import build_course, course_text, describe_course, sampler_phases
from slowfast.engine.recipe import recipe_text, resolve_recipe
from slowfast.engine.saving.initial import try_weights
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.solver.optimizer import build_optimizer
from slowfast.solver.schedules import build_schedule
from slowfast.tasks import build_task
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger


def dry_run(cfg):
    """Check configuration and data, build the model and one batch of each split, say what would happen.

    Writes and trains nothing; runs in one process, whatever the run itself would use.

    Raises: UserError for whatever would stop the run at its start; a batch in which no video could be read.
    """
    device = torch.device("cuda" if cfg.NUM_GPUS and torch.cuda.is_available() else "cpu")
    cfg = fit_batch(cfg, device) if cfg.TRAIN.ENABLE else cfg
    model = build_model(cfg)
    build_task(cfg)
    splits = (["train", "val"] if cfg.TRAIN.ENABLE else []) + (["test"] if cfg.TEST.ENABLE else [])
    processes = derive.num_processes(cfg, torch.cuda.is_available())
    course = build_course(cfg)
    phases = sampler_phases(course)
    loaders = {
        split: construct_loader(cfg, split, world_size=processes * cfg.NUM_SHARDS, phases=phases) for split in splits
    }
    plan = plan_memory(cfg, model, device) if cfg.TRAIN.ENABLE else None
    get_logger().info(describe(cfg, model, loaders, describe_memory(plan, device) if plan else ()))
    if plan and (warning := memory_warning(cfg, plan, device)):
        get_logger().warning(warning)
    try_weights(model, cfg)
    if "train" in loaders:
        sampler, lrs = loaders["train"].batch_sampler, derive.scaled_lr(cfg)
        optimizer = build_optimizer(model, cfg, lrs[0])
        get_logger().info(recipe_text(resolve_recipe(cfg, model, optimizer, course, sampler.steps_in)))
        described = describe_course(cfg, course, sampler, model)
        if described:
            schedule = build_schedule(cfg, course, *lrs, steps_per_epoch=sampler.steps_in(0))
            get_logger().info(course_text(described, schedule))
    for split, loader in loaders.items():
        batch = next(iter(loader))
        for video in batch.unreadable:
            get_logger().warning(f"{split}: unreadable video {video.path}: {video.reason}")
        if not len(batch.labels):
            raise UserError(f"{split}: not one video of the first batch could be read; check DATA.PATH_PREFIX")
        get_logger().info(f"first {split} batch: frames {tuple(batch.frames.shape)}, labels {batch.labels.tolist()}")


def describe(cfg, model, loaders, further=()):
    """A table of what follows from configuration, model and data.

    Args:
        model: built, on any device but meta.
        loaders: dict split ("train", "val", "test") -> this process's DataLoader.
        further: rows (name, text) that go before the last one.
    """
    total, trainable = count_parameters(model)
    crop = cfg.DATA.TEST_CROP_SIZE
    rows = [
        ("model", f"{cfg.MODEL.MODEL_NAME}, {total / 1e6:.2f} M parameters, {trainable / 1e6:.2f} M trainable"),
    ]
    if cfg.LOG_MODEL_INFO:
        shape = (1, cfg.DATA.INPUT_CHANNEL_NUM[0], cfg.DATA.NUM_FRAMES, crop, crop)
        rows.append(("compute", f"{gmacs(model, shape):.2f} GFLOPs a view (multiply-adds, {shape})"))
    rows += [(split, _describe_split(split, loader)) for split, loader in loaders.items()]
    if "train" in loaders:
        rows += _describe_training(cfg, loaders["train"])
    rows += [*further, ("outputs", cfg.OUTPUT_DIR)]
    return "\n".join(f"{name:>16}  {text}" for name, text in rows)


def _describe_split(split, loader):
    data = loader.dataset
    views = f", {data.num_views} view(s) a video" if split == "test" else ""
    return f"{data.num_videos} videos{views}, {len(loader)} batches a process"


def _describe_training(cfg, loader):
    base, start, end = derive.scaled_lr(cfg)
    micro = (
        f"{cfg.TRAIN.BATCH_SIZE} a machine x {cfg.NUM_SHARDS} machine(s) x {cfg.SOLVER.ACCUMULATE_STEPS} micro-steps"
    )
    return [
        ("effective batch", f"{derive.effective_batch(cfg)} clips an optimizer step ({micro})"),
        ("learning rate", f"{base:g} after scaling, warm-up from {start:g}, cosine end {end:g}"),
        ("steps", _describe_steps(build_course(cfg), loader.batch_sampler.steps_in)),
        ("precision", derive.precision(cfg)),
        *describe_training(cfg, loader.dataset).items(),
    ]


def _describe_steps(course, steps_in):
    if course.is_multigrid:
        return f"{course.steps(steps_in)} in {course.max_epoch} epochs, by the table of multigrid's phases below"
    return f"{steps_in(0)} an epoch, {course.max_epoch} epochs"
