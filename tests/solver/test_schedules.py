"""Learning rates against PySlowFast's own values (functional.json, lr_policy)."""

import json

import pytest

from slowfast.config import get_cfg
from slowfast.solver.course import Course
from slowfast.solver.schedules import build_schedule, cosine, relative_steps, with_warmup


def test_equals_reference_values(reference_dir):
    cases = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["lr_policy"]["cases"]
    assert cases
    for case in cases:
        cfg = get_cfg()
        for key, value in case["solver"].items():
            cfg.SOLVER[key] = value
        schedule = _build(cfg, steps_per_epoch=100)
        got = [schedule(epoch) for epoch in case["epochs"]]
        assert got == pytest.approx(case["lr"], rel=1e-12), case["name"]


def _build(cfg, steps_per_epoch):
    rates = cfg.SOLVER.BASE_LR, cfg.SOLVER.WARMUP_START_LR, cfg.SOLVER.COSINE_END_LR
    return build_schedule(cfg, Course.from_cfg(cfg), *rates, steps_per_epoch=steps_per_epoch)


def _rates(epochs, steps_per_epoch, **solver):
    """The rate at each step of a run, positions as the trainer forms them."""
    cfg = get_cfg()
    for key, value in solver.items():
        cfg.SOLVER[key] = value
    schedule = _build(cfg, steps_per_epoch)
    return [schedule(epoch + step / steps_per_epoch) for epoch in range(epochs) for step in range(steps_per_epoch)]


@pytest.fixture
def recipe_of(reference_dir):
    """recipe_of(word) -> the schedule of param_groups_and_schedules_a.json whose family holds the word."""
    cases = json.loads((reference_dir / "parity/param_groups_and_schedules_a.json").read_text())["schedules"]
    return lambda word: next(case for case in cases if word in case["family"])


def test_schedule_of_videomae(recipe_of):
    case = recipe_of("VideoMAE")
    got = _rates(
        case["epochs"],
        case["iterations_per_epoch"],
        BASE_LR=case["base_value"],
        COSINE_END_LR=case["final_value"],
        MAX_EPOCH=case["epochs"],
        WARMUP_EPOCHS=float(case["warmup_epochs"]),
        WARMUP_START_LR=0.0,
        WARMUP_ENDS_AT_PEAK=True,
        COSINE_AFTER_WARMUP=True,
    )
    assert got == pytest.approx(case["values"], rel=1e-9, abs=1e-18)


def test_schedule_of_xvit(recipe_of):
    case = recipe_of("XViT")
    got = _rates(
        case["max_epoch"],
        case["iterations_per_epoch"],
        BASE_LR=case["base_lr"],
        MAX_EPOCH=case["max_epoch"],
        WARMUP_EPOCHS=case["warmup_epochs"],
        WARMUP_START_LR=case["warmup_start_lr"],
    )
    assert got == pytest.approx(case["values"], rel=1e-9)


def test_schedule_of_eva(recipe_of):
    case = recipe_of("EVA")
    got = _rates(
        case["epochs"],
        case["iterations_per_epoch"],
        BASE_LR=case["lr"],
        COSINE_END_LR=case["lr"] / 100,
        MAX_EPOCH=case["epochs"],
        WARMUP_EPOCHS=float(case["warmup_epochs"]),
        WARMUP_START_LR=case["warmup_start_lr"],
        COSINE_AFTER_WARMUP=True,
        LR_DELAY_STEPS=1,
    )
    assert got == pytest.approx(case["values_used_at_each_step"], rel=1e-9, abs=1e-18)


def test_warmup_of_one_step_that_ends_at_its_peak_stays_at_the_start():
    """A line from the start to the peak over one point has only its first point."""
    solver = {"WARMUP_EPOCHS": 0.25, "WARMUP_START_LR": 0.0, "WARMUP_ENDS_AT_PEAK": True, "COSINE_AFTER_WARMUP": True}
    assert _rates(1, 4, BASE_LR=0.5, MAX_EPOCH=1, **solver)[:2] == [0.0, 0.5]


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
