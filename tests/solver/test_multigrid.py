"""Multigrid's schedules: PySlowFast's numbers where it has them, the paper's rules where it fails."""

import json

import pytest

from slowfast.datasets.samplers import TrainBatchSampler
from slowfast.solver.multigrid import BatchNormSetting, ends_interval, long_cycle, long_cycle_lr, short_cycle

NAMES = ("Kinetics stepwise multigrid", "SSv2 multigrid", "invented: one node, short and long cycle")
SHORT_ONLY = "invented: short cycle only"
LONG_FACTORS = [(0.25, 0.5**0.5), (0.5, 0.5**0.5), (0.5, 1), (1, 1)]


@pytest.fixture(scope="module")
def cases(reference_dir):
    content = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())
    return {case["name"]: case for case in content["multigrid"]["cases"]}


def phases_of(inputs):
    return long_cycle(
        num_frames=inputs["DATA.NUM_FRAMES"],
        crop_size=inputs["DATA.TRAIN_CROP_SIZE"],
        sampling_rate=inputs["DATA.SAMPLING_RATE"],
        steps=inputs["SOLVER.STEPS"],
        max_epoch=inputs["SOLVER.MAX_EPOCH"],
        epoch_factor=inputs["MULTIGRID.EPOCH_FACTOR"],
        long_factors=inputs["MULTIGRID.LONG_CYCLE_FACTORS"],
        short_factors=inputs["MULTIGRID.SHORT_CYCLE_FACTORS"] if inputs["MULTIGRID.SHORT_CYCLE"] else (),
    )


@pytest.mark.parametrize("name", NAMES)
def test_schedule_is_the_sources(cases, name):
    case = cases[name]
    phases = phases_of(case["inputs"])
    own = [
        [phase.stage, [phase.multiple, phase.shapes[-1].num_frames, phase.shapes[-1].crop_size], phase.end]
        for phase in phases
    ]
    assert own == case["schedule"]
    steps, factors = long_cycle_lr(phases, case["inputs"]["SOLVER.GAMMA"])
    after = case["after_init"]
    assert (steps, factors) == (after["SOLVER.STEPS"], after["SOLVER.LRS"])
    assert phases[-1].end == after["SOLVER.MAX_EPOCH"]
    frequency = case["inputs"]["MULTIGRID.EVAL_FREQ"]
    assert [
        epoch for phase in phases for epoch in range(phase.start, phase.end) if ends_interval(phase, epoch, frequency)
    ] == case["eval_epochs"]


@pytest.mark.parametrize("name", NAMES)
def test_phases_are_the_sources(cases, name):
    """Strides, batch normalisation, and the short cycle's batches, crops and order of samples."""
    case = cases[name]
    inputs = case["inputs"]
    clips, base_size = inputs["TRAIN.BATCH_SIZE"] // inputs["NUM_GPUS"], inputs["MULTIGRID.BN_BASE_SIZE"]
    setting = BatchNormSetting().for_batch(clips, base_size)
    phases = {phase.start: phase for phase in phases_of(inputs) if phase.end > phase.start}
    for expected in case["phases"]:
        phase = phases[expected["epoch"]]
        assert phase.max_sampling_rate == expected["MULTIGRID.LONG_CYCLE_SAMPLING_RATE"]
        batch = inputs["TRAIN.BATCH_SIZE"] * phase.multiple
        assert batch == expected["TRAIN.BATCH_SIZE"]
        setting = setting.for_batch(clips * phase.multiple, base_size)
        assert setting == BatchNormSetting(
            expected["BN.NORM_TYPE"], expected["BN.NUM_SPLITS"], expected["BN.NUM_SYNC_DEVICES"]
        )
        check_short_cycle(inputs, phase.shapes, expected["short_cycle"])


def test_short_cycle_alone_is_the_sources(cases):
    case = cases[SHORT_ONLY]
    inputs = case["inputs"]
    crop = inputs["DATA.TRAIN_CROP_SIZE"]
    factors = inputs["MULTIGRID.SHORT_CYCLE_FACTORS"]
    shapes = short_cycle(inputs["DATA.NUM_FRAMES"], crop, 1, full_crop=crop, factors=factors)
    (expected,) = case["phases"]
    check_short_cycle(inputs, shapes, expected["short_cycle"])


def check_short_cycle(inputs, shapes, expected):
    clips = inputs["TRAIN.BATCH_SIZE"] // inputs["NUM_GPUS"]
    assert [clips * shape.multiple for shape in shapes] == expected["batch_sizes"]
    assert [shape.crop_size for shape in shapes] == [crop["crop_size"] for crop in expected["crops"]]
    low, full = inputs["DATA.TRAIN_JITTER_SCALES"][0], inputs["DATA.TRAIN_CROP_SIZE"]
    assert [round(low * shape.crop_size / full) for shape in shapes] == [c["min_scale"] for c in expected["crops"]]
    cycle = tuple((shape.multiple, number) for number, shape in enumerate(shapes))
    sampler = TrainBatchSampler(expected["sampler_length"], clips, phases=((None, cycle),))
    batches = list(sampler)
    assert len(batches) == len(sampler) == sampler.steps_in(0) == expected["num_batches_drop_last"]
    first = [[len(batch), batch[0][2]] for batch in batches[: len(expected["first_batches"])]]
    assert first == [[length, index] for length, _, index in expected["first_batches"]]
    order = [key[1] for batch in TrainBatchSampler(expected["sampler_length"], 1) for key in batch]
    assert [key[1] for batch in batches for key in batch] == order[: sum(map(len, batches))]


def test_long_cycle_without_short_cycle():
    """By hand: batches of 8, 4, 2 and 1; 10 + 5 epochs of plain training; equal optimizer steps for each shape."""
    phases = long_cycle(
        num_frames=32,
        crop_size=224,
        sampling_rate=2,
        steps=[0, 10],
        max_epoch=15,
        epoch_factor=100,
        long_factors=LONG_FACTORS,
    )
    assert [(phase.stage, phase.shapes) for phase in phases[:2]] == [(0, phases[0].shapes), (0, phases[1].shapes)]
    assert [len(phase.shapes) for phase in phases] == [1] * 5
    assert [phase.multiple for phase in phases] == [8, 4, 2, 1, 1]
    # 10 epochs become 10 * 8/15, 4/15, ... with 4 * 10/15 steps in all instead of 10: 3.75 times fewer; so the last 5
    # epochs become 5 / 3.75; together 11 1/3, which then are scaled to 1,500
    lengths = [10 * part / 15 for part in (8, 4, 2, 1)] + [5 / 3.75]
    ends = [round(sum(lengths[: i + 1]) * 1500 / sum(lengths)) for i in range(5)]
    assert [phase.end for phase in phases] == ends and ends[-1] == 1500
    epochs, factors = long_cycle_lr(phases, 0.1)
    assert factors == [8, 4, 2, 1, 1, 0.1] and epochs == [0, *ends[:-1], (ends[-2] + 1500) // 2]


def test_learning_rate_can_follow_the_root_of_the_batch():
    phases = long_cycle(
        num_frames=8,
        crop_size=64,
        sampling_rate=2,
        steps=[0, 10],
        max_epoch=15,
        epoch_factor=1,
        long_factors=[(0.25, 1), (1, 1)],
    )
    assert long_cycle_lr(phases, 0.1, batch_power=0.5)[1] == [2, 1, 1, 0.1]
    assert long_cycle_lr(phases, 0.1, batch_power=0.0)[1] == [1, 1, 1, 0.1]


def test_clips_fit_tubelets_and_patches():
    phases = long_cycle(
        num_frames=16,
        crop_size=224,
        sampling_rate=4,
        steps=[0, 10],
        max_epoch=15,
        epoch_factor=1.5,
        long_factors=[(0.1, 0.5**0.5), (1, 1)],
        short_factors=[0.5, 0.5**0.5],
        frame_divisor=2,
        crop_divisor=16,
    )
    shapes = [(shape.multiple, shape.num_frames, shape.crop_size) for shape in phases[0].shapes]
    assert shapes == [(32, 2, 112), (16, 2, 160), (16, 2, 160)]  # 16 x 224^2 / (2 x 160^2) = 15.7; (160 / 112)^2 = 2.04
    assert [(s.multiple, s.num_frames, s.crop_size) for s in phases[1].shapes] == [
        (4, 16, 112),
        (2, 16, 160),
        (1, 16, 224),
    ]


def test_a_crop_larger_than_the_phases_keeps_the_batch():
    """(112 / 158)^2 rounds to no clip at all."""
    shapes = short_cycle(8, 112, 4, full_crop=224, factors=[0.5, 0.5**0.5])
    assert [(shape.multiple, shape.crop_size) for shape in shapes] == [(4, 112), (4, 158), (4, 112)]


def test_counts_over_the_steps_of_an_epoch():
    (phase,) = long_cycle(
        num_frames=4,
        crop_size=4,
        sampling_rate=1,
        steps=[0, 1],
        max_epoch=1,
        epoch_factor=3,
        long_factors=[(1, 1)],
        short_factors=[0.5],
    )[:1]
    assert [phase.count(lambda shape: shape.multiple, steps) for steps in range(6)] == [0, 4, 5, 9, 10, 14]
    assert [shape.pixels for shape in phase.shapes] == [4 * 4 * 4, 4 * 16]
