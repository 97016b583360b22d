"""Learning rate as a pure function of the fractional epoch."""

import bisect
import math
from functools import partial


def cosine(epoch, *, base_lr, end_lr, max_epoch, start_epoch=0.0):
    """Half a cosine from `base_lr` at `start_epoch` down to `end_lr` at `max_epoch`.

    Args:
        epoch, max_epoch, start_epoch: epochs, fractions allowed.
        base_lr, end_lr: learning rates.
    Source: Loshchilov & Hutter 2017 without restarts, in PySlowFast's parametrisation.
    """
    progress = (epoch - start_epoch) / (max_epoch - start_epoch)
    return end_lr + (base_lr - end_lr) * (math.cos(math.pi * progress) + 1.0) * 0.5


def relative_steps(epoch, *, base_lr, steps, factors):
    """`base_lr` times the factor of the last step reached.

    Args:
        epoch: fractional epoch.
        steps: epochs at which each factor starts, ascending; usually starts with 0.
        factors: one per step. Before the first step the LAST factor holds, as in PySlowFast.
    """
    return base_lr * factors[bisect.bisect_right(steps, epoch) - 1]


def with_warmup(epoch, policy, *, warmup_epochs, start_lr, peak_before_end=0.0):
    """Linear from `start_lr` at epoch 0 to the policy's own value at `warmup_epochs`, then the policy.

    Args:
        peak_before_end: epochs by which the line reaches that value earlier, to hold it until `warmup_epochs`. One
            optimizer step's worth gives the last step of the warm-up the full rate, as VideoMAE's scripts do.
    """
    if epoch >= warmup_epochs:
        return policy(epoch)
    rising = warmup_epochs - peak_before_end
    progress = min(epoch / rising, 1.0) if rising > 0 else 0.0
    return start_lr + (policy(warmup_epochs) - start_lr) * progress


def delayed(epoch, policy, *, delay):
    """The policy's value `delay` epochs earlier, at the start its first value."""
    return policy(max(epoch - delay, 0.0))


def multiplied(epoch, policy, *, factor):
    """The policy's value times factor(epoch)."""
    return policy(epoch) * factor(epoch)


def build_schedule(cfg, course, base_lr, warmup_start_lr, cosine_end_lr, *, steps_per_epoch):
    """function fractional epoch -> learning rate, for SOLVER.LR_POLICY.

    Args:
        cfg: the configuration; only SOLVER is read.
        course: Course, with the run's epochs.
        base_lr, warmup_start_lr, cosine_end_lr: the rates after scaling (`config.derive.scaled_lr`).
        steps_per_epoch: optimizer steps of the first epoch; what is given in steps becomes epochs by it.
    """
    solver = cfg.SOLVER
    if solver.LR_POLICY == "cosine":
        policy = partial(
            cosine,
            base_lr=base_lr,
            end_lr=cosine_end_lr,
            max_epoch=course.max_epoch,
            start_epoch=solver.WARMUP_EPOCHS if solver.COSINE_AFTER_WARMUP else 0.0,
        )
        policy = partial(multiplied, policy=policy, factor=course.lr_multiple)
    else:
        policy = partial(relative_steps, base_lr=base_lr, steps=course.lr_epochs, factors=course.lr_factors)
    policy = partial(
        with_warmup,
        policy=policy,
        warmup_epochs=solver.WARMUP_EPOCHS,
        start_lr=warmup_start_lr,
        peak_before_end=1 / steps_per_epoch if solver.WARMUP_ENDS_AT_PEAK else 0.0,
    )
    return partial(delayed, policy=policy, delay=solver.LR_DELAY_STEPS / steps_per_epoch)
