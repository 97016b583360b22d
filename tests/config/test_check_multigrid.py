"""Values of MULTIGRID and what does not go with it: refused by name, with what is expected."""

import pytest

from slowfast.config import load_cfg
from slowfast.utils.errors import ConfigError

LONG = ["MULTIGRID.LONG_CYCLE", True, "SOLVER.MAX_EPOCH", 20, "TEST.ENABLE", False]


@pytest.mark.parametrize(
    ("opts", "parts"),
    [
        (["MULTIGRID.LONG_CYCLE_FACTORS", []], ["MULTIGRID.LONG_CYCLE_FACTORS", "pairs"]),
        (["MULTIGRID.LONG_CYCLE_FACTORS", [(0.5, 1.5)]], ["(0.5, 1.5)", "at most 1"]),
        (["MULTIGRID.LONG_CYCLE_FACTORS", [0.5, 1]], ["MULTIGRID.LONG_CYCLE_FACTORS", "pairs"]),
        (["MULTIGRID.SHORT_CYCLE_FACTORS", [0.0]], ["MULTIGRID.SHORT_CYCLE_FACTORS", "above 0"]),
        (["MULTIGRID.SHORT_CYCLE", True, "MULTIGRID.EPOCH_FACTOR", 0.0], ["EPOCH_FACTOR", "enough for one epoch"]),
        (["MULTIGRID.EVAL_FREQ", 0], ["MULTIGRID.EVAL_FREQ", "1 or more"]),
        (["BN.NORM_TYPE", "other"], ["'sub_batchnorm'"]),
        (LONG, ["SOLVER.STEPS", "got []", "at least two"]),
        ([*LONG, "SOLVER.STEPS", [0, 20]], ["SOLVER.STEPS", "less than SOLVER.MAX_EPOCH 20"]),
        ([*LONG, "SOLVER.STEPS", [2, 10]], ["SOLVER.STEPS", "the first 0"]),
        ([*LONG, "SOLVER.STEPS", [0, 10], "SOLVER.LR_DELAY_STEPS", 1], ["SOLVER.LR_DELAY_STEPS", "expected 0"]),
        (
            ["MULTIGRID.SHORT_CYCLE", True, "TASK", "masked_pretraining", "TEST.ENABLE", False],
            ["MULTIGRID.SHORT_CYCLE", "masked_pretraining"],
        ),
    ],
)
def test_refused(opts, parts):
    with pytest.raises(ConfigError) as caught:
        load_cfg(None, opts)
    (problem,) = caught.value.problems
    assert all(part in problem for part in parts), problem


def test_a_long_cycle_reads_gamma_in_place_of_factors():
    """PySlowFast's multigrid recipes list more factors than steps."""
    steps = ["SOLVER.LR_POLICY", "steps_with_relative_lrs", "SOLVER.STEPS", [0, 10], "SOLVER.LRS", [1, 0.1, 0.01]]
    assert load_cfg(None, [*LONG, *steps]).SOLVER.GAMMA == 0.1
    with pytest.raises(ConfigError, match=r"SOLVER\.LRS"):
        load_cfg(None, [*LONG, *steps, "MULTIGRID.LONG_CYCLE", False])
