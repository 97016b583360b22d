"""The cable between two nodes is pulled: a short cut is survived, a longer one ends both sides in time, with words."""

import subprocess
import sys
import time

import pytest

from tests.conftest import REPO
from tests.engine.test_resume import assert_same
from tests.slurm.lab import NETWORK
from tests.slurm.runs import BEGIN_SEC, CONFIG, END_SEC, STEPS, Run, wait_for

TIMEOUT_SEC = 15


@pytest.fixture
def pair(lab, runs, tmp_path):
    """pair(name) -> (Run, Popen of each rank): one rank a node, started as torchrun starts them, without SLURM."""
    started = []

    def start(name, **changes):
        options = {"NUM_GPUS": 0, "NUM_SHARDS": 2, "DIST__TIMEOUT_SEC": TIMEOUT_SEC}
        words = runs.words(name, **(options | changes))
        processes = []
        for rank in range(2):
            place = {"RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}
            place |= {"MASTER_ADDR": f"{NETWORK}.10", "MASTER_PORT": 29500}
            environment = runs.environment() | {key: str(value) for key, value in place.items()}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            script = f"exec {sys.executable} tools/run_net.py --cfg {CONFIG} " + " ".join(f'"{word}"' for word in words)
            processes.append(lab.start(f"node{rank}", script, env=environment, cwd=REPO, **pipes))
        started.extend(processes)
        return Run(lab, "", runs.folder / name, ""), processes

    yield start
    for process in started:
        process.kill()
        process.communicate()
    lab.wait_idle(60)  # SLURM has missed the node, too


def test_a_short_cut_is_survived(lab, pair, undisturbed):
    run, ranks = pair("short cut")
    wait_for(lambda: run.steps() >= 8, BEGIN_SEC)
    lab.cut("node1")
    time.sleep(TIMEOUT_SEC / 4)
    assert run.steps() < STEPS
    lab.heal("node1")
    outputs = [rank.communicate(timeout=END_SEC)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    assert_same(run.final_state(), undisturbed.final_state())


def test_a_long_cut_ends_both_sides(lab, pair, undisturbed):
    run, ranks = pair("long cut")
    try:
        wait_for(lambda: run.steps() >= 8, BEGIN_SEC)
        lab.cut("node1")
        cut_at = time.monotonic()
        outputs = [rank.communicate(timeout=3 * TIMEOUT_SEC)[0] for rank in ranks]
        assert time.monotonic() - cut_at < TIMEOUT_SEC + 5
    finally:
        lab.heal("node1")
    assert [rank.returncode for rank in ranks] == [1, 1], outputs
    assert "process 1 of 2 no longer answers (stopped, dead or cut off)" in outputs[0], outputs[0]
    assert "does not answer" in outputs[1] or "lost another one" in outputs[1], outputs[1]
    assert not any("Traceback" in output for output in outputs), outputs
    again, ranks = pair("long cut")
    outputs = [rank.communicate(timeout=END_SEC)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], outputs
    assert "resumed from" in outputs[0]
    assert_same(again.final_state(), undisturbed.final_state())
