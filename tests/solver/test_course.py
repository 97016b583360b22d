"""The course of a run: epochs, learning rate, work that is left; multigrid and plain."""

import pytest

from slowfast.config import get_cfg
from slowfast.solver.course import Course
from slowfast.solver.schedules import build_schedule

LONG = {
    "DATA.NUM_FRAMES": 8,
    "DATA.TRAIN_CROP_SIZE": 64,
    "MULTIGRID.LONG_CYCLE": True,
    "MULTIGRID.LONG_CYCLE_FACTORS": [(0.25, 1), (0.5, 1), (1, 1)],
    "SOLVER.STEPS": [0, 14],
    "SOLVER.MAX_EPOCH": 20,
    "SOLVER.BASE_LR": 0.1,
    "SOLVER.WARMUP_START_LR": 0.0,
}


def cfg_of(**options):
    cfg = get_cfg()
    for key, value in options.items():
        section, name = key.split(".")
        cfg[section][name] = value
    return cfg


@pytest.fixture
def course():
    """(4, 2, 1) of 7 parts of 14 epochs are 8, 4 and 2, in 3 * 2 steps of 14; so the last 6 epochs become
    6 / (14 / 6) = 2.571; all scaled to 30 epochs: 14.48, 21.72, 25.34, 30."""
    course = Course.from_cfg(cfg_of(**LONG))
    assert [phase.end for phase in course.phases] == [14, 22, 25, 30]
    return course


def test_plain():
    course = Course.from_cfg(cfg_of(**{"SOLVER.MAX_EPOCH": 7, "SOLVER.STEPS": [0, 3], "SOLVER.LRS": [1, 0.1]}))
    assert (course.max_epoch, course.is_multigrid, course.signature) == (7, False, "")
    assert (course.lr_epochs, course.lr_factors, course.lr_multiple(4)) == ([0, 3], [1, 0.1], 1)
    assert [epoch for epoch in range(7) if course.is_due(epoch, 3)] == [2, 5, 6]
    assert course.work_left(lambda epoch: 10, 2, 4) == 46 and course.steps(lambda epoch: 10) == 70
    assert course.epoch_at(25, lambda epoch: 10) == 2.5 and course.epoch_at(70, lambda epoch: 10) == 7


def test_short_cycle_alone_scales_the_epochs():
    options = {"SOLVER.MAX_EPOCH": 9, "SOLVER.STEPS": [0, 5, 8], "SOLVER.LRS": [1, 0.1, 0.01]}
    course = Course.from_cfg(cfg_of(**options, **{"MULTIGRID.SHORT_CYCLE": True}))
    assert (course.max_epoch, course.lr_epochs, course.lr_factors) == (13, [0, 7, 12], [1, 0.1, 0.01])
    assert course.is_multigrid and course.lr_multiple(5) == 1
    assert [epoch for epoch in range(13) if course.is_due(epoch, 10)] == [9, 12]


def test_validations_of_a_long_cycle(course):
    """Every 5, 3, 2 and 2 epochs, counted from the phase's end."""
    due = [epoch for epoch in range(30) if course.is_due(epoch, 1000)]
    assert due == [3, 8, 13, 15, 18, 21, 22, 24, 25, 27, 29]


def test_learning_rate_of_a_stepped_long_cycle(course):
    schedule = build_schedule(
        cfg_of(**LONG, **{"SOLVER.LR_POLICY": "steps_with_relative_lrs", "SOLVER.WARMUP_EPOCHS": 4.0}),
        course,
        0.1,
        0.0,
        0.0,
        steps_per_epoch=4,
    )
    rates = [schedule(epoch) for epoch in (0, 2, 4, 13.99, 14, 22, 25, 26.9, 27, 29)]
    assert rates == pytest.approx([0, 0.2, 0.4, 0.4, 0.2, 0.1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_learning_rate_of_a_cosine_long_cycle(power):
    """The plain cosine, stretched to the run's epochs, times the batch's multiple."""
    cfg = cfg_of(**LONG, **{"MULTIGRID.LR_BATCH_POWER": power, "SOLVER.COSINE_END_LR": 0.001})
    course = Course.from_cfg(cfg)
    plain = Course.from_cfg(cfg_of(**{"SOLVER.MAX_EPOCH": 30}))
    rate, still = (build_schedule(cfg, c, 0.1, 0.0, 0.001, steps_per_epoch=4) for c in (course, plain))
    for epoch, multiple in ((0, 4), (13.5, 4), (14, 2), (21.9, 2), (23, 1), (29.9, 1)):
        assert rate(epoch) == pytest.approx(still(epoch) * multiple**power)


def test_work_left_counts_pixels(course):
    """Steps of 4 x 2 frames, 2 x 4 frames and 1 x 8 frames cost the same here, as multigrid wants it."""
    steps = [4] * 14 + [8] * 8 + [16] * 8
    total = sum(steps)
    assert course.steps(lambda epoch: steps[epoch]) == total
    assert course.work_left(lambda epoch: steps[epoch], 0, 0) == pytest.approx(total)
    assert course.work_left(lambda epoch: steps[epoch], 15, 3) == pytest.approx(sum(steps[15:]) - 3)
    assert course.work_left(lambda epoch: steps[epoch], 29, 16) == pytest.approx(0)
    assert course.epoch_at(14 * 4 + 20, lambda epoch: steps[epoch]) == 16.5


def test_work_of_a_short_cycle():
    """Crops of half the side in batches of 4 and of 0.75 of it in batches of 2: 1 and 1.125 plain steps."""
    options = {"DATA.TRAIN_CROP_SIZE": 64, "MULTIGRID.SHORT_CYCLE": True, "MULTIGRID.SHORT_CYCLE_FACTORS": [0.5, 0.75]}
    course = Course.from_cfg(cfg_of(**options))
    assert [course.step_work(3, step) for step in range(4)] == pytest.approx([1, 1.125, 1, 1])
    assert course.work(3, 5) == pytest.approx(5.25)
