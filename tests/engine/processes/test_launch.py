"""Several processes: they meet, they share the projects, and one that fails ends the job with its own words."""

import os
import signal
import sys
import time

import pytest
import torch
import torch.distributed as dist

from slowfast.config import load_cfg
from slowfast.engine.processes.launch import launch
from slowfast.utils import distributed
from slowfast.utils.errors import EXIT_PREEMPTED, ConfigError, UserError


def add_up(cfg, device):
    """A job that ends with the sum of all ranks plus one."""
    assert device == torch.device("cpu")
    total = distributed.all_reduce_sums({"rank": distributed.rank() + 1}, device)["rank"]
    assert distributed.world_size() == cfg.NUM_PROCS
    return int(total)


def tell_project(cfg, device):
    return 7 if "a_project_of_this_test" in sys.modules else 0


def fail_as_rank_1(cfg, device):
    if distributed.rank() == 1:
        raise UserError("rank 1 found a list without videos")
    time.sleep(0.2)
    dist.barrier()  # never returns by itself: the launcher ends it
    return 0


def crash_as_rank_1(cfg, device):
    if distributed.rank() == 1:
        raise ZeroDivisionError("one of them divides by zero")
    dist.barrier()
    return 0


def die_as_rank_1(cfg, device):
    if distributed.rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()
    return 0


@pytest.fixture
def cfg(tmp_path):
    def load(*opts):
        return load_cfg(None, ["NUM_GPUS", "0", "OUTPUT_DIR", str(tmp_path / "run"), *opts])

    return load


@pytest.mark.parametrize("processes, total", [(1, 1), (2, 3)])
def test_processes_meet(cfg, processes, total):
    assert launch(add_up, cfg("NUM_PROCS", str(processes), "TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4")) == total


def test_projects_are_imported_everywhere(cfg, tmp_path, monkeypatch):
    (tmp_path / "a_project_of_this_test.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    options = ("NUM_PROCS", "2", "TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4")
    assert launch(tell_project, cfg("PROJECTS", "['a_project_of_this_test']", *options)) == 7


@pytest.mark.parametrize(
    "job, error, text",
    [
        (fail_as_rank_1, UserError, "rank 1 found a list without videos"),
        (crash_as_rank_1, RuntimeError, "process 1 of 2 failed(.|\n)*one of them divides by zero"),
        (die_as_rank_1, RuntimeError, "process 1 was ended by SIGKILL"),
    ],
)
def test_one_that_fails_ends_all(cfg, job, error, text):
    with pytest.raises(error, match=text):
        launch(job, cfg("NUM_PROCS", "2", "TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4"))


def test_more_gpus_than_there_are(cfg, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"NUM_GPUS: 8 asked for, 1 present"):
        launch(add_up, cfg("NUM_GPUS", "8"))


def leave_as_rank_1(cfg, device):
    if distributed.rank() == 1:
        os.kill(os.getpid(), signal.SIGTERM)  # to it alone; it has nothing to save
    dist.barrier()
    return 0


def test_one_that_was_asked_to_leave_ends_all(cfg, tmp_path):
    options = ("NUM_PROCS", "2", "TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4")
    assert launch(leave_as_rank_1, cfg(*options)) == EXIT_PREEMPTED
    assert "SIGTERM" in (tmp_path / "run/PREEMPTED").read_text()


def stop_and_have_all_told(cfg, device):
    if distributed.rank() == 0:
        os.kill(os.getppid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGSTOP)


def test_processes_that_can_no_longer_leave_are_ended(cfg, tmp_path):
    options = ("NUM_PROCS", "2", "TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4", "DIST.PREEMPT_DEADLINE_SEC", "1")
    assert launch(stop_and_have_all_told, cfg(*options)) == EXIT_PREEMPTED
    assert (tmp_path / "run/PREEMPTED").exists()
