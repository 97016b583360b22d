"""Multigrid training: which clips and batches are trained in which epoch, as pure functions of numbers.

Wu et al. 2020, "A Multigrid Method for Efficiently Training Video Models", https://arxiv.org/abs/1912.00998, in
PySlowFast's form; its numbers: tests/solver/test_multigrid.py. A step of large batches takes clips of few frames and
small crops, so that all steps cost about the same. The long cycle changes frames, crop, batch and learning rate from
phase to phase; the short cycle changes crop and batch from one optimizer step to the next.
"""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class StepShape:
    """What one optimizer step sees.

    Args:
        multiple: its clips, as a multiple of the usual effective batch.
        num_frames: frames of a clip.
        crop_size: px of a clip's side.
    """

    multiple: int
    num_frames: int
    crop_size: int

    @property
    def pixels(self):
        """Pixels of the step's clips, for each clip of the usual effective batch."""
        return self.multiple * self.num_frames * self.crop_size**2


@dataclass(frozen=True)
class Phase:
    """Epochs that share a short cycle.

    Args:
        stage: index of the step of the learning rate that it belongs to.
        start, end: epochs; `end` is the first one after it.
        shapes: StepShape of the optimizer steps, taken in turn from each epoch's start; the last is the phase's own.
        max_sampling_rate: largest stride of a clip, where strides are drawn; None: they are not.
    """

    stage: int
    start: int
    end: int
    shapes: tuple
    max_sampling_rate: int | None = None

    @property
    def multiple(self):
        """Of the usual batch, without the short cycle."""
        return self.shapes[-1].multiple

    def count(self, value, steps):
        """Sum of value(shape) over the first `steps` optimizer steps of an epoch."""
        values = [value(shape) for shape in self.shapes]
        cycles, rest = divmod(steps, len(values))
        return cycles * sum(values) + sum(values[:rest])


def short_cycle(num_frames, crop_size, multiple, *, full_crop, factors, crop_divisor=1):
    """StepShapes of a short cycle: one for each factor, then the given one.

    Args:
        num_frames, crop_size, multiple: of the phase.
        full_crop: px, DATA.TRAIN_CROP_SIZE.
        factors: of `full_crop`, MULTIGRID.SHORT_CYCLE_FACTORS; (): no short cycle.
        crop_divisor: px, crops are multiples of this.
    Returns:
        tuple of StepShape. A smaller crop's batch is larger by the whole number next to the ratio of the areas.
    """
    sides = _short_sides(full_crop, factors, crop_divisor)
    multiples = [multiple * max(1, round((crop_size / side) ** 2)) for side in sides]
    crops = [_nearest(full_crop * factor, crop_divisor) for factor in factors]
    shapes = [StepShape(more, num_frames, crop) for more, crop in zip(multiples, crops)]
    return (*shapes, StepShape(multiple, num_frames, crop_size))


def _short_sides(full_crop, factors, crop_divisor):
    """Sides in px by which the short cycle's batches are computed: not rounded to whole px, as in the source."""
    return [full_crop * f if crop_divisor == 1 else _nearest(full_crop * f, crop_divisor) for f in factors]


def long_cycle(
    *,
    num_frames,
    crop_size,
    sampling_rate,
    steps,
    max_epoch,
    epoch_factor,
    long_factors,
    short_factors=(),
    frame_divisor=1,
    crop_divisor=1,
):
    """Phases of a whole training.

    Each stage of the learning rate but the last runs through all shapes of the long cycle, with equally many optimizer
    steps for each; the last stage, the fine-tuning, has the last shape alone, and saves as many steps as the others.

    Args:
        num_frames, crop_size, sampling_rate: of plain training.
        steps: epochs of plain training at which a stage begins, ascending from 0; at least two.
        max_epoch: epochs of plain training.
        epoch_factor: epochs of the result, over `max_epoch`.
        long_factors: (of the frames, of the crop) of each shape, MULTIGRID.LONG_CYCLE_FACTORS.
        short_factors: see `short_cycle`.
        frame_divisor, crop_divisor: frames and px; clips are multiples of these.
    Returns:
        list of Phase, each from where the one before ends; rounding may leave one without epochs.
    """
    full = num_frames * crop_size**2
    cycles, mean_multiples = [], []
    for of_frames, of_crop in long_factors:
        frames, crop = _nearest(num_frames * of_frames, frame_divisor), _nearest(crop_size * of_crop, crop_divisor)
        multiple = max(1, round(full / (frames * crop**2)))
        cycle = short_cycle(
            frames, crop, multiple, full_crop=crop_size, factors=short_factors, crop_divisor=crop_divisor
        )
        sides = [*_short_sides(crop_size, short_factors, crop_divisor), crop]
        cycles.append(cycle)
        mean_multiples.append(sum(round(full / (frames * side**2)) for side in sides) / len(sides))
    epochs = []  # (stage, number of the cycle, epochs before scaling)
    for stage, (start, end) in enumerate(pairwise(steps)):
        for number, mean in enumerate(mean_multiples):
            epochs.append((stage, number, (end - start) * mean / sum(mean_multiples)))
    saving = steps[-1] / sum(length / mean_multiples[number] for _, number, length in epochs)
    epochs.append((len(steps) - 1, len(cycles) - 1, (max_epoch - steps[-1]) / saving * mean_multiples[-1]))
    scale = max_epoch * epoch_factor / sum(length for *_, length in epochs)
    phases, total = [], 0.0
    for stage, number, length in epochs:
        start, total = round(total), total + length * scale
        largest = sampling_rate * (num_frames // cycles[number][-1].num_frames)
        phases.append(Phase(stage, start, round(total), cycles[number], largest))
    return phases


def long_cycle_lr(phases, gamma, batch_power=1.0):
    """Factors on the base learning rate, step by step, for phases of `long_cycle`.

    Args:
        gamma: factor from one stage to the next, SOLVER.GAMMA.
        batch_power: exponent of the batch's multiple in the learning rate.
    Returns:
        (epochs, factors): where each factor begins. The first half of the fine-tuning keeps the factor before it.
    """
    epochs = [phase.start for phase in phases]
    factors = [gamma**phase.stage * phase.multiple**batch_power for phase in phases]
    epochs.append((phases[-1].start + phases[-1].end) // 2)
    factors.insert(-1, factors[-2])
    return epochs, factors


def ends_interval(phase, epoch, frequency):
    """Whether a validation or checkpoint follows an epoch (from 0): `frequency` times a phase, and always at its end.

    Args: frequency: MULTIGRID.EVAL_FREQ.
    """
    period = (phase.end - phase.start) // frequency + 1
    return (phase.end - 1 - epoch) % period == 0


@dataclass(frozen=True)
class BatchNormSetting:
    """Values of BN.NORM_TYPE, BN.NUM_SPLITS and BN.NUM_SYNC_DEVICES."""

    norm_type: str = "batchnorm"
    num_splits: int = 1
    num_sync_devices: int = 1

    def for_batch(self, clips, base_size):
        """The setting by which statistics are those of about `base_size` clips, for `clips` clips a process.

        More clips than that are split, fewer are shared with other processes; what the result has no use for stays as
        it is here, as in PySlowFast.

        Args: base_size: MULTIGRID.BN_BASE_SIZE.
        """
        if clips < base_size:
            return BatchNormSetting("sync_batchnorm", self.num_splits, base_size // clips)
        if clips > base_size:
            return BatchNormSetting("sub_batchnorm", clips // base_size, self.num_sync_devices)
        return BatchNormSetting("batchnorm", self.num_splits, self.num_sync_devices)


def _nearest(value, divisor):
    """The multiple of `divisor` next to `value`, at least one of it."""
    return max(1, round(value / divisor)) * divisor
