"""Multigrid training in the engine: a run's course, its compute, its batch normalisation, and what is told of it."""

from functools import cache

from tabulate import tabulate

from slowfast.datasets.samplers import PLAIN
from slowfast.datasets.video_dataset import ClipShape
from slowfast.models.build import clip_divisors
from slowfast.models.complexity import gmacs
from slowfast.solver.course import Course
from slowfast.solver.multigrid import BatchNormSetting


def build_course(cfg):
    """Course of a run. Raises: ConfigError: multigrid for a model that takes clips of one size alone."""
    if cfg.MULTIGRID.LONG_CYCLE or cfg.MULTIGRID.SHORT_CYCLE:
        return Course.from_cfg(cfg, *clip_divisors(cfg))
    return Course.from_cfg(cfg)


def sampler_phases(course):
    """The course as `TrainBatchSampler` takes it."""
    if not course.is_multigrid:
        return PLAIN
    return tuple(
        (
            phase.end,
            tuple(
                (shape.multiple, ClipShape(shape.num_frames, shape.crop_size, phase.max_sampling_rate))
                for shape in phase.shapes
            ),
        )
        for phase in course.phases
    )


def batch_norm_setting(course, epoch, clips, cfg):
    """BatchNormSetting of an epoch: the long cycle's, else the configuration's.

    Args: clips: of a process in a step of plain training.
    """
    setting = BatchNormSetting(cfg.BN.NORM_TYPE, cfg.BN.NUM_SPLITS, cfg.BN.NUM_SYNC_DEVICES)
    if not cfg.MULTIGRID.LONG_CYCLE:
        return setting
    return setting.for_batch(clips * course.phase(epoch).multiple, cfg.MULTIGRID.BN_BASE_SIZE)


def training_gmacs(course, steps_in, effective_batch, model, channels):
    """GFLOPs (multiply-adds) of the forward passes of a whole run: clips of each shape, times a clip's cost.

    Args:
        steps_in: function epoch -> optimizer steps.
        effective_batch: clips of a step of plain training.
        model: takes clips (1, channels, frames, px, px).
    """

    @cache
    def each(frames, crop):
        return gmacs(model, (1, channels, frames, crop, crop))

    def of_step(shape):
        return shape.multiple * effective_batch * each(shape.num_frames, shape.crop_size)

    return sum(
        (phase.end - phase.start) * phase.count(of_step, steps_in(phase.start))
        for phase in course.phases
        if phase.end > phase.start
    )


def describe_course(cfg, course, sampler, model):
    """Multigrid's phases and compute, ready for JSON; None for plain training.

    Args:
        sampler: TrainBatchSampler of the course.
        model: as in `training_gmacs`.
    Returns:
        dict: "phases", a list with the numbers of each; "gflops", forward passes of the run, and "plain_gflops", of the
        SOLVER.MAX_EPOCH epochs of plain training that it stands for.
    """
    if not course.is_multigrid:
        return None
    batch, channels = sampler.effective_batch, cfg.DATA.INPUT_CHANNEL_NUM[0]
    steps = cfg.SOLVER.MAX_EPOCH * (sampler.num_samples // batch)
    shape = (1, channels, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TRAIN_CROP_SIZE)
    return {
        "phases": [
            {
                "epochs": [phase.start, phase.end],
                "steps_per_epoch": sampler.steps_in(phase.start),
                "clips": [shape.multiple * batch for shape in phase.shapes],
                "frames": phase.shapes[-1].num_frames,
                "crops": [shape.crop_size for shape in phase.shapes],
                "strides": [cfg.DATA.SAMPLING_RATE, phase.max_sampling_rate or cfg.DATA.SAMPLING_RATE],
            }
            for phase in course.phases
            if phase.end > phase.start
        ],
        "gflops": training_gmacs(course, sampler.steps_in, batch, model, channels),
        "plain_gflops": steps * batch * gmacs(model, shape),
    }


def course_text(description, schedule):
    """Table of `describe_course`. Args: schedule: function fractional epoch -> learning rate."""
    headers = ("epochs", "steps an epoch", "clips a step", "frames", "stride", "crop (px)", "learning rate")
    rows = []
    for phase in description["phases"]:
        start, end = phase["epochs"]
        slowest, fastest = phase["strides"]
        rows.append(
            (
                f"{start + 1} to {end}",
                phase["steps_per_epoch"],
                ", ".join(map(str, phase["clips"])),
                phase["frames"],
                slowest if slowest == fastest else f"{slowest} to {fastest}",
                ", ".join(map(str, phase["crops"])),
                f"{schedule(start):.3g}",
            )
        )
    gflops, plain = description["gflops"], description["plain_gflops"]
    table = tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
    return f"multigrid: {gflops:.4g} GFLOPs of forward passes, {gflops / plain:.3f} of plain training\n{table}"
