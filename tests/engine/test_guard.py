"""A loss that is not finite ends the run with what is needed to look into it."""

import json

import pytest
import torch

from slowfast.engine.guard import LossGuard, StepRecord, by_layer
from slowfast.utils.errors import UserError

NAMES = ["stem.weight", "stem.bias", "blocks.0.weight", "scale"]
SCALER = torch.amp.GradScaler("cpu", enabled=False)


def _record(guard, step, *losses):
    ids = [torch.tensor([7 + i, 3 + i]) for i in range(len(losses))]
    norms = torch.tensor([3.0, 4.0, float("inf"), 0.5])
    guard.record(StepRecord(step, 2, 0.125, [torch.tensor(loss) for loss in losses], ids, norms, NAMES))


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


def test_norms_by_layer():
    assert by_layer(NAMES, [6.0, 8.0, 2.0, 1.0]) == {"stem": 10.0, "blocks.0": 2.0, "scale": 1.0}
