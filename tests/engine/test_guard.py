"""A loss that is not finite ends the run with what is needed to look into it."""

import pytest
import torch

from slowfast.engine.guard import LossGuard
from slowfast.utils.errors import UserError


def _watch(guard, loss, step):
    guard.watch(torch.tensor(loss), step=step, epoch=2, lr=0.125, video_ids=torch.tensor([7, 3]))


def test_finite_losses_pass_and_are_forgotten():
    guard = LossGuard()
    _watch(guard, 1.5, 0)
    guard.check()
    assert guard.pending == []


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_names_step_lr_videos_and_checkpoint(loss):
    guard = LossGuard()
    _watch(guard, 1.5, 8)
    _watch(guard, loss, 9)
    with pytest.raises(UserError) as error:
        guard.check("runs/last.pyth")
    for part in (str(loss), "step 10", "epoch 3", "0.125", "[7, 3]", "runs/last.pyth"):
        assert part in str(error.value)
