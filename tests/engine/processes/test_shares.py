"""Fewer processes than planned: the effective batch and the largest micro-batch of a process stay."""

import pytest

from slowfast.config import derive, load_cfg
from slowfast.engine.processes.shares import share_out
from slowfast.utils.errors import ConfigError


def cfg_of(shards, gpus, batch, accumulate, *words):
    options = {"NUM_SHARDS": shards, "NUM_GPUS": gpus, "TRAIN.BATCH_SIZE": batch, "TEST.BATCH_SIZE": batch}
    options["SOLVER.ACCUMULATE_STEPS"] = accumulate
    return load_cfg(None, [word for pair in options.items() for word in pair] + list(words))


@pytest.mark.parametrize(
    "shards, gpus, batch, accumulate, there, expected",
    [
        (2, 8, 48, 4, 16, (48, 4)),
        (2, 8, 48, 4, 8, (24, 8)),  # 6 clips a GPU as before, twice as often
        (8, 8, 8, 4, 32, (4, 8)),
        (8, 8, 8, 4, 16, (2, 16)),
        (1, 3, 12, 1, 2, (6, 2)),  # 6 clips each in halves: 4 at once were planned
        (2, 1, 1, 1, 1, (1, 1)),  # a batch of a clip a machine: here both at once, as halves cannot be configured
        (1, 1, 12, 1, 4, (12, 1)),
        (1, 1, 6, 2, 4, (12, 1)),  # 6 clips are no multiple of 4, 12 are
    ],
)
def test_the_effective_batch_stays(shards, gpus, batch, accumulate, there, expected):
    cfg = cfg_of(shards, gpus, batch, accumulate)
    shared = share_out(cfg, there, cuda=True)
    assert (shared.TRAIN.BATCH_SIZE, shared.SOLVER.ACCUMULATE_STEPS) == expected
    assert derive.effective_batch(shared) == derive.effective_batch(cfg) and shared.is_frozen()
    assert (shared is cfg) == (expected == (batch, accumulate) and there >= shards * gpus)


def test_partners_of_a_mix_stay_together():
    mixing = ("MIXUP.ENABLE", True, "MODEL.LOSS_FUNC", "soft_cross_entropy", "MIXUP.GROUP_SIZE", 2)
    shared = share_out(cfg_of(1, 3, 12, 1, *mixing), 2, cuda=True)
    assert (shared.TRAIN.BATCH_SIZE, shared.SOLVER.ACCUMULATE_STEPS) == (4, 3)  # 2 each; 3 would part a pair


def test_what_cannot_be_shared_is_refused():
    refused = r"TRAIN.BATCH_SIZE: 12 x NUM_SHARDS 1 .* by 5 processes; take a multiple of 5"
    with pytest.raises(ConfigError, match=refused):
        share_out(cfg_of(1, 1, 12, 1), 5, cuda=True)
