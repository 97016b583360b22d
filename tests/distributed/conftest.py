"""Fixtures of the tests with several ranks."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch

from slowfast.engine.train import train
from tests.distributed.ranks import Ranks


@pytest.fixture
def run_cfg(tiny_cfg, tmp_path):
    """run_cfg(name, KEY=value, ...): the tiny configuration for CPU ranks, one line of metrics a step, to a folder."""

    def load(name, **changes):
        options = {
            "NUM_GPUS": 0,
            "LOG_PERIOD": 1,
            "LOG_MODEL_INFO": False,
            "TRAIN__BATCH_SIZE": 12,
            "TRAIN__EVAL_PERIOD": 100,
            "TRAIN__CHECKPOINT_PERIOD": 100,
        }
        return tiny_cfg(OUTPUT_DIR=tmp_path / name, **(options | changes))

    return load


@pytest.fixture
def start(tmp_path):
    """start(cfg, world_size, job=train, prepare=...) -> running Ranks; what still lives after the test is killed."""
    started = []

    def run(cfg, world_size, job=train, **options):
        ranks = Ranks(job, cfg, world_size, tmp_path, **options)
        started.append(ranks)
        return ranks

    yield run
    for ranks in started:
        ranks.wait(timeout=0)


@pytest.fixture
def losses(tmp_path):
    """losses(name): the loss of each step of a run, from its metrics.jsonl."""

    def read(name):
        rows = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [row["loss"] for row in rows if row["split"] == "train"]

    return read


@pytest.fixture
def last_state(tmp_path):
    """last_state(name): content of a run's last checkpoint, without the configuration, which names the folder."""

    def read(name):
        folder = tmp_path / name / "checkpoints"
        content = torch.load(folder / (folder / "last").read_text().strip(), weights_only=True)
        content.pop("cfg")
        return content

    return read


@pytest.fixture
def begin(repo, tmp_path):
    """begin(words, **environment) -> Popen of `python words`; what still lives after the test is killed."""
    running = []

    def run(words, **environment):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(repo)} | environment
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        running.append(
            subprocess.Popen([sys.executable, *words], cwd=repo, env=environment, start_new_session=True, **pipes)
        )
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
