"""P classes, K clips of each: every micro-batch of every process, every video as often as the rule says, restarts."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from slowfast.config import load_cfg
from slowfast.datasets import build
from slowfast.datasets.balanced import BalancedBatchSampler
from slowfast.utils.errors import ConfigError, UserError

EVEN = [label for label in range(6) for _ in range(10)]
SKEWED = [0] * 37 + [1] * 3 + [2] * 11 + [5] * 1 + [7] * 20
WAYS = [(4, 2, 1, 1), (4, 2, 2, 1), (2, 3, 1, 3), (3, 4, 2, 2), (5, 1, 1, 1), (1, 5, 1, 1), (5, 5, 3, 1)]


def micro_batches(labels, classes, clips, world_size, accumulate, epoch=0, step=0, seed=3):
    """[indices] of every micro-batch, in the order in which they make up optimizer steps."""
    samplers = [
        BalancedBatchSampler(labels, classes, clips, accumulate, rank, world_size, seed) for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_position(epoch, step)
        assert len(list(sampler)) == len(sampler) == (sampler.steps_in(epoch) - step) * accumulate
    rows = list(zip(*samplers))
    assert {key[0] for key in chain(*chain(*rows))} <= {epoch}
    return [[index for _, index, _ in batch] for batches in rows for batch in batches]


@pytest.mark.parametrize("labels", [EVEN, SKEWED], ids=["even", "skewed"])
@pytest.mark.parametrize(("classes", "clips", "world_size", "accumulate"), WAYS)
def test_every_batch_and_every_video(labels, classes, clips, world_size, accumulate):
    numbers = Counter(labels)
    for epoch in (0, 1):
        batches = micro_batches(labels, classes, clips, world_size, accumulate, epoch)
        assert batches and len(batches) % (world_size * accumulate) == 0
        for batch in batches:
            found = Counter(labels[index] for index in batch)
            assert len(found) == classes and set(found.values()) == {clips}
            twice = [labels[index] for index, count in Counter(batch).items() if count > 1]
            assert all(numbers[label] < clips for label in twice)
        seen = Counter(chain(*batches))
        portions = Counter(label for batch in batches for label in {labels[index] for index in batch})
        sampler = BalancedBatchSampler(labels, classes, clips, accumulate, 0, world_size, 3)
        assert [portions[label] for label in sorted(numbers)] == sampler.portions(epoch).tolist()
        for index, label in enumerate(labels):
            least = portions[label] * clips // numbers[label]
            assert least >= 1 and seen[index] in (least, least + 1)


def test_no_more_batches_than_needed():
    assert len(micro_batches(EVEN, 4, 2, 1, 1)) == 8  # 6 classes x 5 portions in batches of 4: 7.5
    assert len(micro_batches(SKEWED, 4, 2, 1, 1)) == 19  # the largest class has 19 portions, none twice in a batch
    assert len(micro_batches(SKEWED, 4, 2, 2, 3)) == 24  # whole optimizer steps of 6
    assert len(micro_batches(EVEN, 6, 2, 1, 1)) == 5


def test_left_over_places_go_to_the_smallest_classes():
    sampler = BalancedBatchSampler(SKEWED, 4, 2)
    for epoch in range(3):
        portions = sampler.portions(epoch)
        assert portions[0] == 19 and portions.sum() == 19 * 4
        assert sorted(portions[1:].tolist()) == [14, 14, 14, 15]
    assert len({tuple(sampler.portions(epoch)) for epoch in range(20)}) > 1


def test_batches_do_not_depend_on_how_a_step_is_made_up_and_change_with_epoch_and_seed():
    one = micro_batches(SKEWED, 2, 3, 1, 4, epoch=2)
    assert one == micro_batches(SKEWED, 2, 3, 2, 2, epoch=2) == micro_batches(SKEWED, 2, 3, 4, 1, epoch=2)
    assert one != micro_batches(SKEWED, 2, 3, 1, 4, epoch=3)
    assert one != micro_batches(SKEWED, 2, 3, 1, 4, epoch=2, seed=4)


def test_restart_goes_on_where_it_stopped():
    assert micro_batches(SKEWED, 2, 3, 2, 1, epoch=1, step=5) == micro_batches(SKEWED, 2, 3, 2, 1, epoch=1)[5 * 2 :]
    sampler = BalancedBatchSampler(SKEWED, 2, 3, world_size=2, rank=1)
    assert sampler.step_items(1, 2, 0) == micro_batches(SKEWED, 2, 3, 2, 1, epoch=1, seed=0)[4]


@pytest.mark.parametrize(("classes", "clips"), [(7, 1), (6, 11), (2, 40)])
def test_more_than_there_is_is_refused(classes, clips):
    with pytest.raises(UserError, match=rf"BALANCED_BATCH: {classes} classes x {clips} clips .*60 videos in 6 classes"):
        BalancedBatchSampler(EVEN, classes, clips)


@pytest.mark.parametrize("value", ["[4]", "[0,2]", "[4,2.5]", "[4,2,1]", "[4,True]"])
def test_other_values_are_refused(value):
    with pytest.raises(ConfigError, match=r"TRAIN\.BALANCED_BATCH"):
        load_cfg(None, ["TRAIN.BALANCED_BATCH", value])


def test_loader_takes_it(tiny_cfg):
    cfg = tiny_cfg(TRAIN__BALANCED_BATCH=[2, 2])
    loader = build.construct_loader(cfg, "train")
    assert isinstance(loader.batch_sampler, BalancedBatchSampler)
    batch = next(iter(loader))
    assert sorted(np.bincount(batch.labels)[np.unique(batch.labels)]) == [2, 2]
    with pytest.raises(ConfigError, match=r"2 classes x 2 clips = 4, but a process takes 2 .*Set TRAIN\.BATCH_SIZE 8"):
        build.construct_loader(cfg, "train", world_size=2)
