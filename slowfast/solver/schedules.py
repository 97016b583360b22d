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


def with_warmup(epoch, policy, *, warmup_epochs, start_lr):
    """Linear from `start_lr` at epoch 0 to the policy's own value at `warmup_epochs`, then the policy."""
    if epoch >= warmup_epochs:
        return policy(epoch)
    return start_lr + (policy(warmup_epochs) - start_lr) * epoch / warmup_epochs


def build_schedule(cfg, base_lr, warmup_start_lr, cosine_end_lr):
    """function fractional epoch -> learning rate, for SOLVER.LR_POLICY.

    Args:
        cfg: the configuration; only SOLVER is read.
        base_lr, warmup_start_lr, cosine_end_lr: the rates after scaling (`config.derive.scaled_lr`).
    """
    solver = cfg.SOLVER
    if solver.LR_POLICY == "cosine":
        policy = partial(
            cosine,
            base_lr=base_lr,
            end_lr=cosine_end_lr,
            max_epoch=solver.MAX_EPOCH,
            start_epoch=solver.WARMUP_EPOCHS if solver.COSINE_AFTER_WARMUP else 0.0,
        )
    else:
        policy = partial(relative_steps, base_lr=base_lr, steps=solver.STEPS, factors=solver.LRS)
    return partial(with_warmup, policy=policy, warmup_epochs=solver.WARMUP_EPOCHS, start_lr=warmup_start_lr)
