"""A loss that is not finite ends the run with what is needed to look into it."""

import json

import pytest
import torch

from slowfast.engine.guard import LossGuard, StepRecord, by_layer
from slowfast.utils.errors import UserError

NAMES = ["stem.weight", "stem.bias", "blocks.0.weight", "scale"]
SCALER = torch.amp.GradScaler("cpu", enabled=False)


def _record(guard, step, *losses, guards_gradients=False):
    ids = [torch.tensor([7 + i, 3 + i]) for i in range(len(losses))]
    norms = torch.tensor([3.0, 4.0, float("inf"), 0.5])
    losses = [torch.tensor(loss) for loss in losses]
    guard.record(StepRecord(step, 2, 0.125, losses, ids, norms, NAMES, guards_gradients))


def test_finite_losses_pass():
    guard = LossGuard()
    _record(guard, 0, 1.5, 2.0)
    assert not guard.nonfinite()


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_black_box_holds_the_first_bad_step(tmp_path, loss):
    """Known one step late: by then the step after it has been recorded, too."""
    guard = LossGuard()
    for step, losses in ((8, (1.0, 1.5)), (9, (1.0, loss)), (10, (loss, loss))):
        _record(guard, step, *losses)
    assert guard.nonfinite()
    with pytest.raises(UserError) as error:
        guard.stop(tmp_path, SCALER, "runs/last.pyth")
    path = tmp_path / "nonfinite_step_00000010.json"
    for part in (str(loss), "step 10", "epoch 3", "0.125", "[[7, 3], [8, 4]]", "runs/last.pyth", str(path)):
        assert part in str(error.value)
    found = json.loads(path.read_text())
    assert (found["step"], found["epoch"], found["lr"], found["scaler"]) == (10, 3, 0.125, {})
    expected = {"rank": 0, "losses": [1.0, str(loss)], "finite": False, "rows": [[7, 3], [8, 4]]}
    assert found["processes"] == [expected]
    assert found["gradient_norms"] == {"stem": 5.0, "blocks.0": "inf", "scale": 0.5}


def test_a_gradient_that_is_no_number_stops_before_its_weights_are_saved(tmp_path):
    """The loss of its own step is a number; the next one's would not be, a checkpoint later."""
    guard = LossGuard()
    _record(guard, 8, 1.0)
    _record(guard, 9, 1.5, guards_gradients=True)
    assert guard.nonfinite()
    with pytest.raises(UserError, match=r"a gradient is no number, the loss is \[1.5\] at step 10"):
        guard.stop(tmp_path, SCALER)


def test_a_black_box_that_cannot_be_written(tmp_path):
    guard = LossGuard()
    _record(guard, 3, float("nan"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"the loss is \[nan\] at step 4 .*file/nonfinite\S* cannot be written"):
        guard.stop(tmp_path / "file", SCALER)


def test_norms_by_layer():
    assert by_layer(NAMES, [6.0, 8.0, 2.0, 1.0]) == {"stem": 10.0, "blocks.0": 2.0, "scale": 1.0}
