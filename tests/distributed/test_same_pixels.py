"""What the model receives, by digests of its clips: the same for any workers, ranks and restarts."""

import hashlib
from collections import defaultdict

import pytest

from slowfast.engine.processes import watchdog
from slowfast.models.xvit import XViT
from tests.distributed.ranks import at, end_by

MULTIGRID = {
    "MULTIGRID__LONG_CYCLE": True,
    "MULTIGRID__SHORT_CYCLE": True,
    "MULTIGRID__LONG_CYCLE_FACTORS": [(0.5, 1), (1, 1)],
    "MULTIGRID__SHORT_CYCLE_FACTORS": [0.5],
    "MULTIGRID__EPOCH_FACTOR": 1.5,
    "SOLVER__STEPS": [0, 2],
    "TRAIN__BATCH_SIZE": 2,
}
AUGMENTED = {"DATA__TRAIN_JITTER_SCALES": [34, 48], "DATA__RANDOM_FLIP": True}


def digest(clip):
    return hashlib.sha256(clip.contiguous().numpy().tobytes()).hexdigest()


def recording(path, then=lambda rank: None):
    """A `prepare` for Ranks: each line of `path` holds step, micro-step, rank, and digests of the clips trained on."""

    def prepare(rank):
        where = {}
        beat, forward = watchdog.beat, XViT.forward

        def note(name, clips=None, **position):
            beat(name, clips, **position)
            where.update(position)

        def record(self, clip):
            if self.training:
                words = [where["step"], where.get("micro_step", 0), rank, *map(digest, clip)]
                with open(path, "a") as file:
                    file.write(" ".join(map(str, words)) + "\n")
            return forward(self, clip)

        watchdog.beat, XViT.forward = note, record
        then(rank)

    return prepare


def received(path):
    """[digests of one optimizer step's clips, over all ranks in the documented order], a list over all steps."""
    parts = {}
    for line in path.read_text().splitlines():
        step, micro, rank, *digests = line.split()
        key = (int(step), int(micro), int(rank))
        assert parts.setdefault(key, digests) == digests  # a step that is done again after a restart
    steps = defaultdict(list)
    for key in sorted(parts):
        steps[key[0]] += parts[key]
    return list(steps.values())


@pytest.fixture
def run(run_cfg, start, tmp_path):
    """run(name, world_size, ...): digests of what a whole run of 3 epochs received."""

    def go(name, world_size=1, **changes):
        cfg = run_cfg(name, SOLVER__MAX_EPOCH=3, **(AUGMENTED | changes))
        path = tmp_path / f"{name}.txt"
        ranks = start(cfg, world_size, prepare=recording(path))
        assert ranks.wait(timeout=180) == [0] * world_size, ranks.errors
        return received(path)

    return go


@pytest.mark.parametrize("kind", [{}, MULTIGRID], ids=["plain", "multigrid"])
def test_workers_and_ranks(run, kind):
    expected = run("0", DATA_LOADER__NUM_WORKERS=0, **kind)
    sizes = [len(clips) for clips in expected]
    assert sizes == ([16, 4] * 2 + [8, 2] * 6 if kind else [12] * 6)  # epochs of 2, 2, 6, 6 steps; of 2 steps
    flat = [clip for clips in expected for clip in clips]
    assert len(set(flat)) == len(flat)  # another draw for each clip and epoch
    for name, world_size, workers in (("w2", 1, 2), ("w4", 1, 4), ("r2", 2, 0), ("r2w2", 2, 2)):
        assert run(name, world_size, DATA_LOADER__NUM_WORKERS=workers, **kind) == expected, name


@pytest.mark.parametrize("kind", [{}, MULTIGRID], ids=["plain", "multigrid"])
@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 1)])
def test_restarts(run, run_cfg, start, tmp_path, kind, before, after):
    """Killed in the fourth step, inside an epoch and inside a short cycle, and started again."""
    expected = run("whole", **kind)
    options = {"TRAIN__CHECKPOINT_PERIOD_ITERS": 1, "DATA_LOADER__NUM_WORKERS": 2, "SOLVER__MAX_EPOCH": 3}
    cfg = run_cfg("cut", **(AUGMENTED | options | kind))
    path = tmp_path / "cut.txt"
    killed = start(cfg, before, prepare=recording(path, at("forward", 4, end_by(9))))
    assert -9 in killed.wait(timeout=180)
    first = received(path)
    assert first == expected[: len(first)] and 3 <= len(first) <= 4
    path.unlink()
    resumed = start(cfg, after, prepare=recording(path))
    assert resumed.wait(timeout=180) == [0] * after, resumed.errors
    assert received(path) == expected[3:]


def test_workers_that_start_anew_each_epoch(tiny_cfg):
    """Not persistent: what the loader's own workers give, over two epochs."""
    from torch.utils.data import DataLoader

    from slowfast.datasets.build import construct_loader
    from slowfast.datasets.collate import collate

    cfg = tiny_cfg(DATA_LOADER__NUM_WORKERS=2, **AUGMENTED)
    persistent = construct_loader(cfg, "train")
    assert persistent.persistent_workers
    fresh = DataLoader(persistent.dataset, batch_sampler=persistent.batch_sampler, num_workers=2, collate_fn=collate)
    digests = {id(persistent): [], id(fresh): []}
    for epoch in range(2):
        for loader in (persistent, fresh):
            loader.batch_sampler.set_position(epoch, 0)
            digests[id(loader)] += [digest(clip) for batch in loader for clip in batch.frames]
    one, two = digests.values()
    assert one == two and len(set(one)) == len(one) == 64
