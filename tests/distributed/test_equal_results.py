"""The same numbers for any number of ranks: losses step by step, scores, the order of data after a resume."""

import json
import shutil

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.engine.batch_norm import share_batch_statistics
from slowfast.engine.test import test as score_job
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from tests.distributed.ranks import at, end_by

TOLERANCE = 1e-6


@pytest.fixture
def sgd(run_cfg):
    """sgd(name, epochs, ...): nothing random in the network, 2 steps of 12 clips an epoch."""

    def load(name, epochs, **changes):
        return run_cfg(name, SOLVER__OPTIMIZING_METHOD="sgd", SOLVER__MAX_EPOCH=epochs, **changes)

    return load


def test_losses_of_20_steps_on_1_to_4_ranks(sgd, start, losses):
    for world_size in (1, 2, 3, 4):
        ranks = start(sgd(f"{world_size}", 10), world_size)
        assert ranks.wait() == [0] * world_size, ranks.errors
    one = losses("1")
    assert len(one) == 20 and max(one) - min(one) > 1e-3  # it learns, so that equal losses mean equal gradients
    for world_size in (2, 3, 4):
        np.testing.assert_allclose(losses(f"{world_size}"), one, rtol=0, atol=TOLERANCE)


def test_accumulation_on_2_ranks(sgd, start, losses, tmp_path):
    """12 clips a step as 2 ranks x 2 micro-batches x 3 clips; gradients are exchanged with the second one alone."""
    without_exchange = DistributedDataParallel.no_sync

    def prepare(rank):
        def no_sync(wrapped):
            with open(tmp_path / f"no_sync_{rank}", "a") as file:
                file.write(".")
            return without_exchange(wrapped)

        DistributedDataParallel.no_sync = no_sync

    for name, world_size, options in (
        ("whole", 1, {}),
        ("parts", 2, {"TRAIN__BATCH_SIZE": 6, "SOLVER__ACCUMULATE_STEPS": 2}),
    ):
        ranks = start(sgd(name, 3, **options), world_size, prepare=prepare)
        assert ranks.wait() == [0] * world_size, ranks.errors
    np.testing.assert_allclose(losses("parts"), losses("whole"), rtol=0, atol=TOLERANCE)
    assert len(losses("parts")) == 6
    assert [(tmp_path / f"no_sync_{rank}").read_text() for rank in (0, 1)] == ["." * 6] * 2


def test_gradients_that_travel_as_bfloat16(sgd, start, losses):
    for hook in ("", "bf16"):
        ranks = start(sgd(f"hook {hook}", 5, DIST__COMM_HOOK=hook), 2)
        assert ranks.wait() == [0, 0], ranks.errors
    exact, rounded = np.array(losses("hook ")), np.array(losses("hook bf16"))
    assert rounded[0] == exact[0] and 0 < abs(rounded - exact).max() < 0.01 * abs(exact).max()


def share_statistics(cfg, device):
    """A job: what SyncBN is made of on four ranks, up to its kernels, which run on GPUs alone."""
    rank, gpu = distributed.rank(), torch.device("cuda", 0)
    for num_devices, expected in ((0, [0, 1, 2, 3]), (2, [rank // 2 * 2, rank // 2 * 2 + 1])):
        bare = nn.Sequential(nn.Conv3d(3, 5, 1), nn.BatchNorm3d(5))
        shared = share_batch_statistics(bare, gpu, num_devices=num_devices)
        assert isinstance(shared[1], nn.SyncBatchNorm) and shared[1].weight is bare[1].weight
        assert dist.get_process_group_ranks(shared[1].process_group) == expected
    bare = nn.BatchNorm3d(5)
    assert share_batch_statistics(bare, gpu, num_devices=1) is bare
    with pytest.raises(UserError, match=r"BN.NUM_SYNC_DEVICES: 4 processes cannot be put into groups of 3"):
        share_batch_statistics(bare, gpu, num_devices=3)
    with pytest.raises(UserError, match=r"sync_batchnorm needs GPUs"):
        share_batch_statistics(bare, device, num_devices=0)
    return 0


def test_who_shares_batch_statistics(run_cfg, start):
    ranks = start(run_cfg("run"), 4, job=share_statistics)
    assert ranks.wait() == [0, 0, 0, 0], ranks.errors


@pytest.mark.parametrize("world_sizes", [(3, 2), (1, 4)])
def test_resume_on_another_number_of_ranks(sgd, start, losses, world_sizes):
    before, after = world_sizes
    start(sgd("whole", 4), after).wait()
    cfg = sgd("cut", 4, TRAIN__CHECKPOINT_PERIOD_ITERS=1)
    killed = start(cfg, before, prepare=at("forward", 6, end_by(9)))
    assert -9 in killed.wait()
    assert len(losses("cut")) == 5
    resumed = start(cfg, after)
    assert resumed.wait() == [0] * after, resumed.errors
    np.testing.assert_allclose(losses("cut"), losses("whole"), rtol=0, atol=TOLERANCE)


@pytest.fixture
def few_videos(small_set, tmp_path):
    """few_videos(n): the small set with the first n test videos alone."""

    def make(number):
        folder = tmp_path / f"set_of_{number}"
        shutil.copytree(small_set, folder)
        lines = (folder / "test.csv").read_text().splitlines()[:number]
        (folder / "test.csv").write_text("\n".join(lines) + "\n")
        return folder

    return make


@pytest.mark.parametrize("videos", [16, 7, 2])
def test_scores_of_uneven_shares(run_cfg, start, few_videos, tmp_path, videos):
    """16 videos on 3 ranks; 7 on 3; 2 on 3, one of which gets nothing to do."""
    options = {"TEST__ALLOW_RANDOM_WEIGHTS": True, "TRAIN__ENABLE": False, "TEST__BATCH_SIZE": 6}
    folder = few_videos(videos)
    for world_size in (1, 3):
        cfg = run_cfg(f"{world_size}", DATA__PATH_TO_DATA_DIR=folder, TEST__NUM_ENSEMBLE_VIEWS=1, **options)
        ranks = start(cfg, world_size, job=score_job)
        assert ranks.wait() == [0] * world_size, ranks.errors
    results = [json.loads((tmp_path / name / "test_results.json").read_text()) for name in ("1", "3")]
    assert [result["num_videos"] for result in results] == [videos, videos]
    one, three = (np.load(tmp_path / name / "predictions.npz") for name in ("1", "3"))
    assert all(np.array_equal(one[key], three[key]) for key in one.files if one[key].dtype.kind in "iu")
    np.testing.assert_allclose(three["scores"], one["scores"], rtol=0, atol=TOLERANCE)
