"""A job that is asked to leave, in every way that SLURM has, goes on by itself and ends as one that was left alone."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.engine.test_resume import assert_same
from tests.slurm.runs import BEGIN_SEC, END_SEC, STEPS, Run, wait_for

AT_STEP = 10


def assert_ends_as(run, undisturbed):
    """Completed with the same bits; no step, validation or test missing or done twice; one log of all starts."""
    assert run.wait() == "COMPLETED", run.log()
    assert_same(run.final_state(), undisturbed.final_state())
    assert [row["step"] for row in run.rows()] == list(range(1, STEPS + 1))
    for split in ("train_epoch", "val"):
        told = [[row["step"] for row in each.rows(split)] for each in (run, undisturbed)]
        assert told[0] == told[1], split
    scores = [json.loads((each.folder / "test_results.json").read_text())["top1_acc"] for each in (run, undisturbed)]
    assert scores[0] == scores[1]
    assert run.starts() == list(range(int(run.field("Restarts")) + 1))
    # asked to leave while it tests, a job says once more that its training is done
    assert run.log().count("ended with exit code 0") == 1 and "training done" in run.log()
    assert not (run.folder / "PREEMPTED").exists()
    assert "training done" in (run.folder / "stdout.log").read_text()


# name -> what is done to job `id`
REQUESTS = {
    "shell": "scancel --batch --signal=USR1 {id}",
    "tasks": "scancel --signal=USR1 {id}",
    "all": "scancel --full --signal=USR1 {id}",
    "requeue": "scontrol requeue {id}",
    "early": "scancel --batch --signal=USR1 {id}",  # while the tasks import
}


@pytest.fixture(scope="module")
def asked(runs, undisturbed):
    """name -> Run: all requests of `REQUESTS`, at different steps of runs that go on at once."""

    def run_and_ask(name):
        run = runs.submit(name, "--time", "10")
        if name == "early":
            wait_for(lambda: run.starts() == [0], BEGIN_SEC, run.log)
            time.sleep(0.5)
        else:
            step = AT_STEP + 3 * list(REQUESTS).index(name)
            wait_for(lambda: run.steps() >= step, BEGIN_SEC, run.log)
        runs.lab.ask(*REQUESTS[name].format(id=run.job).split())
        return run

    with ThreadPoolExecutor(len(REQUESTS)) as pool:
        return dict(zip(REQUESTS, pool.map(run_and_ask, REQUESTS)))


@pytest.mark.parametrize("name", REQUESTS)
def test_asked_to_leave(asked, undisturbed, name):
    run = asked[name]
    assert_ends_as(run, undisturbed)
    assert run.starts() == [0, 1] and run.log().count("left as asked") == (name != "early"), run.log()


def test_preempted_by_a_job_of_a_higher_partition(runs, undisturbed):
    run = runs.submit("preempted", "--time", "10")
    wait_for(lambda: run.steps() >= AT_STEP, BEGIN_SEC, run.log)
    everything = ("--partition=urgent", "--exclusive", "--nodes=2")
    job = runs.lab.ask("sbatch", "--parsable", *everything, "--output=/dev/null", "--wrap=sleep 2").strip()
    assert Run(runs.lab, job, run.folder, "").wait() == "COMPLETED"
    assert_ends_as(run, undisturbed)
    assert run.starts() == [0, 1] and "SIGTERM: saving" in run.log()


@pytest.mark.parametrize("node, away", [("node1", True), ("node0", False)])
def test_a_node_crashes(runs, undisturbed, node, away):
    """The one with the batch script, or the other one, back at once or only when SLURM has missed it; steps since the
    last save are done again, no others."""
    run = runs.submit(f"crash {node}", "--time", "10")
    wait_for(lambda: run.steps() >= AT_STEP + 2, BEGIN_SEC, run.log)
    runs.lab.crash(node)
    if away:
        wait_for(lambda: run.field("JobState") != "RUNNING", 60)
    runs.lab.boot(node)
    assert_ends_as(run, undisturbed)
    assert run.starts() == [0, 1] and "resumed from" in run.log()


def test_time_limit(runs, undisturbed):
    """A limit of a minute, shorter than the training: the job is asked to leave before it, as often as that takes."""
    run = runs.submit("time limit", "--time", "1", SLOW__SEC=1)
    run.wait(2 * END_SEC)
    assert_ends_as(run, undisturbed)
    assert int(run.field("Restarts")) >= 1 and "asked to leave" in run.log() and "DUE TO TIME LIMIT" not in run.log()
