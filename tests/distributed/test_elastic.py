"""torchrun starts again what failed: from the last step saved, with the same batch, in the same order."""

import json
import os
import signal
import socket

import numpy as np
import pytest
import torch

from tests.distributed.test_launchers import workers
from tests.distributed.test_preemption import wait_for
from tests.engine.test_resume import assert_same

EPOCHS = 16
STEPS = 4 * EPOCHS
# so that there is time to do something to the run; the numbers are the same
SLOWLY = {"PROJECTS": "['tests.slurm.slow_model']", "MODEL__MODEL_NAME": "SlowXViT", "SLOW__SEC": 0.1}


@pytest.fixture
def run_words(tiny_options, tmp_path):
    """run_words(name, ...): words behind torchrun's own that train 64 steps, with a checkpoint a step."""

    def words(name, **changes):
        options = tiny_options | {
            "NUM_GPUS": 0,
            "OUTPUT_DIR": tmp_path / name,
            "TRAIN.BATCH_SIZE": 8,
            "TRAIN.EVAL_PERIOD": EPOCHS,
            "TRAIN.CHECKPOINT_PERIOD_ITERS": 1,
            "SOLVER.MAX_EPOCH": EPOCHS,
            "TEST.ENABLE": False,
            "LOG_PERIOD": 1,
        }
        options |= {key.replace("__", "."): value for key, value in changes.items()}
        pairs = [str(word) for pair in options.items() for word in pair]
        return ["tools/run_net.py", "--cfg", "configs/Toy/xvit_toy.yaml", *pairs]

    return words


def torchrun(*options):
    return ["-m", "torch.distributed.run", *options]


def last_name(folder):
    pointer = folder / "checkpoints/last"
    return pointer.read_text().strip() if pointer.exists() else ""


def rows_of_steps(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == "train"]


def inside(folder, beyond=""):
    """Whether the run is somewhere inside its epochs, with a checkpoint newer than `beyond`."""
    return lambda: last_name(folder) > max(beyond, "checkpoint_epoch_00002")


def finish(agent):
    output, _ = agent.communicate(timeout=180)
    assert agent.returncode == 0, output
    return output


def final_state(folder):
    content = torch.load(folder / "checkpoints" / last_name(folder), weights_only=True)
    content.pop("cfg")
    return content


@pytest.mark.faults
def test_a_killed_rank_is_started_again(begin, run_words, tmp_path):
    """Twice in one run; the end has the bits of an undisturbed run, and no step stands twice."""
    two = torchrun("--standalone", "--nproc-per-node", "2", "--max-restarts", "2")
    drawing = {"MODEL__DROPOUT_RATE": 0.3, "XVIT__BACKBONE__DROP_PATH_RATE": 0.3}
    finish(begin(two + run_words("whole", **drawing)))
    agent, folder, beyond = begin(two + run_words("cut", **drawing, **SLOWLY)), tmp_path / "cut", ""
    for rank in (1, 0):
        wait_for(inside(folder, beyond), 120)
        running = workers(agent.pid)
        os.kill(running[rank], signal.SIGKILL)
        beyond = last_name(folder)
        wait_for(lambda: set(workers(agent.pid)).isdisjoint(running), 60)  # noqa: B023  # called at once
        wait_for(inside(folder, last_name(folder)), 120)
    output = finish(agent)
    assert output.count("resumed from") == 2, output
    assert_same(final_state(folder), final_state(tmp_path / "whole"))
    assert [row["step"] for row in rows_of_steps(folder)] == list(range(1, STEPS + 1))


@pytest.mark.faults
def test_a_lost_node(begin, run_words, tmp_path):
    """Two nodes, then one: each step has the clips that it has without the loss, in twice as many micro-steps."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    changes = {"SOLVER__OPTIMIZING_METHOD": "sgd", "TRAIN__BATCH_SIZE": 4, "NUM_SHARDS": 2}
    finish(begin(torchrun("--standalone", "--nproc-per-node", "2") + run_words("whole", **changes)))
    rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--local-addr", "127.0.0.1")
    patience = "last_call_timeout=15,keep_alive_interval=1,keep_alive_max_attempt=3"
    elastic = ("--nnodes", "1:2", "--nproc-per-node", "1", "--max-restarts", "3", "--rdzv-id", "lost", *rendezvous)
    words = run_words("cut", **changes, **SLOWLY)
    confs = [("--rdzv-conf", f"{patience},is_host={is_host}") for is_host in (1, 0)]
    nodes = [begin(torchrun(*elastic, *conf) + words) for conf in confs]
    folder = tmp_path / "cut"
    wait_for(inside(folder), 120)
    for process in (*workers(nodes[1].pid), nodes[1].pid):
        os.kill(process, signal.SIGKILL)
    output = finish(nodes[0])
    assert "2 processes of torchrun, 8 clips" in output and "1 processes of torchrun, 4 clips" in output, output
    whole, cut = rows_of_steps(tmp_path / "whole"), rows_of_steps(folder)
    assert [row["step"] for row in cut] == [row["step"] for row in whole] == list(range(1, STEPS + 1))
    assert {row["clips"] for row in cut} == {8}
    np.testing.assert_allclose([row["loss"] for row in cut], [row["loss"] for row in whole], rtol=0, atol=1e-5)
