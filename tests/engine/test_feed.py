"""What training receives with everything switched on: the same clips for any workers, ranks and restarts."""

import pytest
import torch

from slowfast.datasets.build import construct_loader
from slowfast.engine.feed import Feed
from slowfast.tasks import build_task

CPU = torch.device("cpu")
EVERYTHING = {
    "AUG__ENABLE": True,
    "AUG__AA_TYPE": "rand-m7-n4-mstd0.5-inc1",
    "AUG__COLOR_STRENGTHS": [0.4, 0.4, 0.2, 0.1],
    "AUG__GREY_PROB": 0.2,
    "AUG__RE_PROB": 0.5,
    "AUG__NUM_SAMPLE": 2,
    "DATA__TRAIN_JITTER_SCALES_RELATIVE": [0.08, 1.0],
    "DATA__TRAIN_JITTER_ASPECT_RELATIVE": [0.75, 1.3333],
    "DATA__SAMPLING": "videomae_segments",
    "MIXUP__ENABLE": True,
    "MODEL__LOSS_FUNC": "soft_cross_entropy",
    "TRAIN__BATCH_SIZE": 8,
}


def received(cfg, world_size=1, *, epoch=1, first_step=0):
    """dict (optimizer step, video, which of its clips) -> (frames, label), over all ranks."""
    clips = {}
    for rank in range(world_size):
        loader = construct_loader(cfg, "train", rank=rank, world_size=world_size)
        loader.batch_sampler.set_position(epoch, first_step)
        feed = Feed.from_cfg(cfg, loader, CPU, train_task=build_task(cfg))
        for number, (batch, frames) in enumerate(feed):
            step = first_step + number // cfg.SOLVER.ACCUMULATE_STEPS
            for place, key in enumerate(zip(batch.video_ids.tolist(), batch.view_ids.tolist())):
                assert (step, *key) not in clips
                clips[(step, *key)] = (frames[place], batch.labels[place])
    return clips


def same(ones, others):
    return ones.keys() == others.keys() and all(
        torch.equal(a, b) for key in ones for a, b in zip(ones[key], others[key], strict=True)
    )


@pytest.fixture
def alone(tiny_cfg):
    clips = received(tiny_cfg(**EVERYTHING))
    assert len(clips) == 64 and not any(label.max() == 1 for _, label in clips.values())
    return clips


def test_ranks_and_micro_steps(alone, tiny_cfg):
    assert same(received(tiny_cfg(**EVERYTHING), world_size=2), alone)
    halves = EVERYTHING | {"TRAIN__BATCH_SIZE": 4, "SOLVER__ACCUMULATE_STEPS": 2}
    assert same(received(tiny_cfg(**halves)), alone)


def test_workers(alone, tiny_cfg):
    assert same(received(tiny_cfg(**EVERYTHING, DATA_LOADER__NUM_WORKERS=2)), alone)


def test_restarts_and_epochs(alone, tiny_cfg):
    cfg = tiny_cfg(**EVERYTHING)
    rest = received(cfg, first_step=2)
    assert same(rest, {key: clip for key, clip in alone.items() if key[0] >= 2}) and len(rest) == 32
    other = received(cfg, epoch=2)
    assert not any(torch.equal(other[key][0], alone[key][0]) for key in other.keys() & alone.keys())


def test_the_public_rule_depends_on_ranks(tiny_cfg):
    """All of a process's batch in one group: why it is not the default."""
    cfg = tiny_cfg(**EVERYTHING, MIXUP__GROUP_SIZE=0)
    assert not same(received(cfg), received(cfg, world_size=2))
