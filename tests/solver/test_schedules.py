"""Learning rates against PySlowFast's own values (functional.json, lr_policy)."""

import json

import pytest

from slowfast.config import get_cfg
from slowfast.solver.schedules import build_schedule, cosine, relative_steps, with_warmup


def test_equals_reference_values(reference_dir):
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["lr_policy"]["cases"]
    assert cases
    for case in cases:
        cfg = get_cfg()
        for key, value in case["solver"].items():
            cfg.SOLVER[key] = value
        schedule = build_schedule(cfg, cfg.SOLVER.BASE_LR, cfg.SOLVER.WARMUP_START_LR, cfg.SOLVER.COSINE_END_LR)
        got = [schedule(epoch) for epoch in case["epochs"]]
        assert got == pytest.approx(case["lr"], rel=1e-12), case["name"]


def test_cosine_ends():
    """By hand: the peak at the start, the mean of both ends half way, the end at the end."""
    rates = [cosine(epoch, base_lr=0.4, end_lr=0.1, max_epoch=10) for epoch in (0, 5, 10)]
    assert rates == pytest.approx([0.4, 0.25, 0.1])


def test_steps_by_hand():
    rates = [relative_steps(e, base_lr=2.0, steps=[0, 3, 5], factors=[1, 0.5, 0.1]) for e in (0, 2.9, 3, 5.5)]
    assert rates == pytest.approx([2.0, 2.0, 1.0, 0.2])


def test_warmup_meets_the_policy_without_a_jump():
    def policy(epoch):
        return 1.0 - 0.1 * epoch

    rates = [with_warmup(epoch, policy, warmup_epochs=2.0, start_lr=0.2) for epoch in (0, 1, 2, 3)]
    assert rates == pytest.approx([0.2, 0.5, 0.8, 0.7])
