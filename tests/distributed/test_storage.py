"""A disk that is full or cannot be written: the file is named, the last good checkpoint stays, training may go on."""

import contextlib
import resource
import subprocess

import pytest
import torch

from tests.distributed.ranks import at

LIMIT = 100_000  # bytes a file may have from then on; less than a checkpoint


def quota():
    """From now on no file of this process may grow beyond LIMIT."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))


def no_quota():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture
def cfg(run_cfg):
    def load(**changes):
        options = {"SOLVER__MAX_EPOCH": 2, "TRAIN__BATCH_SIZE": 8, "TRAIN__CHECKPOINT_PERIOD_ITERS": 1}
        return run_cfg("run", **(options | changes))

    return load


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run/checkpoints"


@pytest.mark.parametrize("save_async", [False, True])
def test_full_disk_stops_the_run(cfg, start, folder, save_async):
    ranks = start(cfg(CHECKPOINT__ASYNC=save_async), 2, prepare=at("forward", 3, quota))
    assert ranks.wait() == [2, 1], ranks.errors
    assert f"cannot write {folder}/checkpoint_epoch_00000_iter_00000003.pyth: File too large" in ranks.errors[0]
    assert "ended because process 0 failed" in ranks.errors[1]
    assert (folder / "last").read_text() == "checkpoint_epoch_00000_iter_00000002.pyth\n"
    assert not list(folder.glob(".*"))
    assert torch.load(folder / "checkpoint_epoch_00000_iter_00000002.pyth", weights_only=True)["epoch"] == -1


@pytest.mark.parametrize("save_async", [False, True])
def test_training_goes_on_and_saves_again(cfg, start, folder, tmp_path, save_async):
    def prepare(rank):
        at("forward", 3, quota)(rank)
        at("forward", 6, no_quota)(rank)

    ranks = start(cfg(CHECKPOINT__ON_SAVE_ERROR="warn", CHECKPOINT__ASYNC=save_async), 1, prepare=prepare)
    assert ranks.wait() == [0], ranks.errors
    assert (folder / "last").read_text() == "checkpoint_epoch_00002.pyth\n"
    assert 1 <= (tmp_path / "run/stdout.log").read_text().count("ON_SAVE_ERROR warn") <= 4


@pytest.fixture
def small_disk(folder):
    """A file system of 400 kB at the run's checkpoint folder."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def test_a_disk_that_fills_up(cfg, start, small_disk):
    ranks = start(cfg(CHECKPOINT__KEEP_LAST=0), 1)
    assert ranks.wait() == [2]
    assert "No space left on device" in ranks.errors[0] and str(small_disk) in ranks.errors[0]
    last = small_disk / (small_disk / "last").read_text().strip()
    assert torch.load(last, weights_only=True)["train_state"]


def test_a_disk_that_became_read_only(cfg, start, small_disk):
    def remount():
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    ranks = start(cfg(CHECKPOINT__KEEP_LAST=1), 1, prepare=at("forward", 2, remount))
    assert ranks.wait() == [2]
    assert "Read-only file system" in ranks.errors[0] and str(small_disk) in ranks.errors[0]
