"""Which items come when: the same effective batches for any number of processes, each evaluation item once."""

import itertools

import pytest

from slowfast.datasets.samplers import EvalBatchSampler, TrainBatchSampler
from slowfast.utils.errors import UserError


def steps(num_samples, batch_size, accumulate, world_size, epoch=0, step=0, seed=3, **options):
    """[items of all processes and micro-batches] of each optimizer step, in the documented order."""
    samplers = [
        TrainBatchSampler(num_samples, batch_size, accumulate, rank, world_size, seed, **options)
        for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_position(epoch, step)
    micro_steps = [[key for batch in batches for key in batch] for batches in zip(*samplers)]
    return [list(itertools.chain(*micro_steps[i : i + accumulate])) for i in range(0, len(micro_steps), accumulate)]


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "world_size"), [(12, 1, 1), (6, 1, 2), (6, 2, 1), (3, 2, 2), (4, 1, 3), (2, 3, 2)]
)
def test_effective_batches_do_not_depend_on_how_they_are_made_up(batch_size, accumulate, world_size):
    got = steps(100, batch_size, accumulate, world_size, epoch=5)
    assert got == steps(100, 12, 1, 1, epoch=5)
    assert [len(items) for items in got] == [12] * 8


def test_layout_of_one_step():
    """Micro-batch m of rank r is the step's slice [(m * W + r) * b : + b]."""
    order = [key for items in steps(30, 30, 1, 1) for key in items]
    sampler = TrainBatchSampler(30, 2, accumulate=3, rank=1, world_size=2, seed=3)
    batches = list(sampler)
    assert sampler.steps_in(0) == 2 and len(sampler) == len(batches) == 6
    assert batches[0] == order[2:4] and batches[1] == order[6:8] and batches[3] == order[12 + 2 : 12 + 4]


def test_each_sample_once_an_epoch_in_another_order():
    first, second = (list(itertools.chain(*steps(24, 4, 1, 2, epoch=epoch))) for epoch in (0, 1))
    for epoch, keys in enumerate((first, second)):
        assert {key[0] for key in keys} == {epoch} and {key[2] for key in keys} == {None}
        assert sorted(key[1] for key in keys) == list(range(24))
    assert [key[1] for key in first] != [key[1] for key in second]
    assert first != list(itertools.chain(*steps(24, 4, 1, 2, epoch=0, seed=4)))


def test_resuming_goes_on_where_it_stopped():
    assert steps(50, 3, 2, 2, epoch=2, step=3) == steps(50, 3, 2, 2, epoch=2)[3:]
    sampler = TrainBatchSampler(50, 3, accumulate=2)
    sampler.set_position(1, 6)
    assert len(sampler) == len(list(sampler)) == 4


def test_a_split_smaller_than_a_step_is_refused():
    with pytest.raises(UserError, match=r"train split has 11 videos.*12 = 3 .* \* 2 processes \* 2.*TRAIN\.BATCH_SIZE"):
        TrainBatchSampler(11, 3, accumulate=2, world_size=2)
    assert TrainBatchSampler(12, 3, accumulate=2, world_size=2).steps_in(7) == 1


CYCLES = {"phases": ((2, ((4, "a"), (2, "b"), (1, "c"))), (5, ((2, "d"),)), (None, ((1, None),)))}


@pytest.mark.parametrize(("batch_size", "accumulate", "world_size"), [(6, 1, 1), (3, 1, 2), (2, 3, 1), (1, 2, 3)])
def test_cycles_of_shapes(batch_size, accumulate, world_size):
    """120 items in steps of 24, 12, 6, 24, ...; then of 12; then of 6; whatever makes them up."""
    how = (120, batch_size, accumulate, world_size)
    lengths = {0: [24, 12, 6] * 2 + [24, 12], 1: [24, 12, 6] * 2 + [24, 12], 2: [12] * 10, 4: [12] * 10, 5: [6] * 20}
    shapes = {0: "abcabcab", 1: "abcabcab", 2: "d" * 10, 4: "d" * 10, 5: [None] * 20}
    order = [key[1] for items in steps(120, 120, 1, 1, epoch=1) for key in items]
    for epoch in lengths:
        got = steps(*how, epoch=epoch, **CYCLES)
        assert [len(items) for items in got] == lengths[epoch]
        assert [{key[2] for key in items} for items in got] == [{shape} for shape in shapes[epoch]]
        assert got == steps(120, 6, 1, 1, epoch=epoch, **CYCLES)
        for step in (1, 5):
            assert steps(*how, epoch=epoch, step=step, **CYCLES) == got[step:]
        assert TrainBatchSampler(*how[:3], 0, world_size, 3, **CYCLES).steps_in(epoch) == len(got)
    assert [key[1] for items in steps(*how, epoch=1, **CYCLES) for key in items] == order[:120]


def test_items_of_a_process_in_a_step_of_a_cycle():
    sampler = TrainBatchSampler(120, 2, accumulate=2, rank=1, world_size=2, seed=3, **CYCLES)
    batches = [[key[1] for key in batch] for batch in sampler]
    assert [len(batch) for batch in batches[:6]] == [8, 8, 4, 4, 2, 2]
    for step in (0, 1, 2, 3):
        assert sampler.step_items(0, step, 1) == batches[2 * step] + batches[2 * step + 1]


def test_a_split_smaller_than_a_phases_step_is_refused():
    with pytest.raises(UserError, match=r"has 23 videos.*24 = 3 clips.* \* 4 in multigrid's phase until epoch 2"):
        TrainBatchSampler(23, 3, accumulate=2, **CYCLES)


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
@pytest.mark.parametrize("num_items", [0, 5, 21, 22])
def test_evaluation_covers_each_item_once(num_items, world_size):
    seen = []
    for rank in range(world_size):
        sampler = EvalBatchSampler(num_items, 4, rank, world_size)
        batches = list(sampler)
        assert len(batches) == len(sampler) and all(0 < len(batch) <= 4 for batch in batches)
        seen += [key for batch in batches for key in batch]
    assert seen == [(0, index, None) for index in range(num_items)]
