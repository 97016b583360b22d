"""A disk that is full or cannot be written: the file is named, the last good checkpoint stays, training may go on."""

import contextlib
import re
import resource
import subprocess
from functools import partial

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
    found = re.match(
        rf"cannot write {folder}/checkpoint_epoch_00000_iter_0000000(\d).pyth: File too large", ranks.errors[0]
    )
    step = int(found[1])
    assert step == 3 or (step == 2 and save_async)  # the second one may still be on its way
    assert "ended because process 0 failed" in ranks.errors[1]
    assert (folder / "last").read_text() == f"checkpoint_epoch_00000_iter_{step - 1:08d}.pyth\n"
    assert not list(folder.glob(".*"))
    assert torch.load(folder / (folder / "last").read_text().strip(), weights_only=True)["epoch"] == -1


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
def small_disk():
    """small_disk(folder, size): a file system of so many bytes is mounted there."""
    with contextlib.ExitStack() as mounted:

        def mount(folder, size="400k"):
            folder.mkdir(parents=True)
            try:
                run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("mounting a file system is not allowed here")
            mounted.callback(run, "umount", "-l", folder)

        yield mount


def run(*words):
    subprocess.run(list(map(str, words)), check=True, capture_output=True)


def test_a_disk_that_fills_up(cfg, start, small_disk, folder):
    small_disk(folder)
    ranks = start(cfg(CHECKPOINT__KEEP_LAST=0), 1)
    assert ranks.wait() == [2]
    assert "No space left on device" in ranks.errors[0] and str(folder) in ranks.errors[0]
    last = folder / (folder / "last").read_text().strip()
    assert torch.load(last, weights_only=True)["train_state"]


def test_a_disk_that_became_read_only(cfg, start, small_disk, folder):
    small_disk(folder)
    remount = partial(run, "mount", "-o", "remount,ro", folder)
    ranks = start(cfg(CHECKPOINT__KEEP_LAST=1), 1, prepare=at("forward", 2, remount))
    assert ranks.wait() == [2]
    assert "Read-only file system" in ranks.errors[0] and str(folder) in ranks.errors[0]


@pytest.mark.parametrize("on_error, code", [("stop", 2), ("warn", 0)])
def test_a_disk_too_full_for_a_line(cfg, start, small_disk, folder, on_error, code, capfd):
    """All that a run writes fails: metrics, messages, TensorBoard, checkpoints."""
    small_disk(folder.parent, "2m")

    def fill():
        with contextlib.suppress(OSError), open(folder.parent / "filling", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1000))

    options = {"CHECKPOINT__ON_SAVE_ERROR": on_error, "TENSORBOARD__ENABLE": True}
    ranks = start(cfg(**options), 1, prepare=at("forward", 3, fill))
    assert ranks.wait() == [code], ranks.errors
    assert "Traceback" not in ranks.errors[0] + capfd.readouterr().err
    if on_error == "stop":
        assert f"cannot write {folder.parent}/" in ranks.errors[0] and "No space left" in ranks.errors[0]
    assert torch.load(folder / (folder / "last").read_text().strip(), weights_only=True)["train_state"]["step"] == 2
