"""Jobs through submit.py: sweeps, looking after jobs, cancelling, going on, and what is refused."""

import os
import signal
import time

import pytest

from tests.engine.test_resume import assert_same
from tests.slurm.runs import BEGIN_SEC, CONFIG, STEPS, Run, wait_for

SWEEP = "RNG_SEED: [1, 2]\nSOLVER.BASE_LR: [0.001, 0.01]\n"


def test_what_is_printed(undisturbed):
    """Job, log, and the command that goes on."""
    printed = dict(line.split(None, 1) for line in undisturbed.printed.splitlines()[1:])
    assert printed["log"] == f"{undisturbed.folder}/slurm/{undisturbed.job}.out"
    assert printed["run"] == str(undisturbed.folder)
    assert printed["resume"].startswith(f"python tools/slurm/submit.py --cfg {CONFIG} --nodes 2")


def test_a_sweep(runs, tmp_path):
    """Four tasks of one process on a node each, in folders of their own."""
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    options = {"SOLVER__MAX_EPOCH": 2, "SLOW__SEC": 0}
    array = runs.submit("sweep", "--time", "10", "--array", tmp_path / "sweep.yaml", nodes=1, **options)
    tasks = [Run(runs.lab, f"{array.job}_{number}", array.folder, "") for number in range(4)]
    for task in tasks:
        assert task.wait() == "COMPLETED", task.log()
    folders = sorted(path.name for path in array.folder.iterdir() if path.name != "slurm")
    pairs = [(seed, rate) for seed in (1, 2) for rate in (0.001, 0.01)]
    assert folders == [f"{n:02d}_RNG_SEED={seed}_BASE_LR={rate}" for n, (seed, rate) in enumerate(pairs)]
    states = [Run(runs.lab, "", array.folder / folder, "") for folder in folders]
    assert all((state.folder / "test_results.json").exists() and state.steps() == 16 for state in states)
    assert len({str(state.rows()[-1]["loss"]) for state in states}) == 4
    assert all(task.log().count("ended with exit code 0") == 1 for task in tasks)
    status = runs.tool("--status", array.job)
    assert status.returncode == 0 and status.stdout.count("COMPLETED") == 4, status.stdout


def test_look_cancel_and_go_on(runs, undisturbed):
    """A cancelled job stays cancelled, has saved, and the same command goes on."""
    run = runs.submit("cancelled", "--time", "10")
    again = runs.tool("--cfg", CONFIG, "--nodes", 2, "--gpus_per_node", 0, *runs.words("cancelled"))
    assert again.returncode == 2 and f"job {run.job} writes there already" in again.stderr
    wait_for(lambda: run.steps() >= 7, BEGIN_SEC, run.log)
    status, tail = runs.tool("--status", run.job).stdout, runs.tool("--tail", run.job).stdout
    assert f"job {run.job} RUNNING" in status and "nodes node[0-1]" in status and "restarts 0" in status
    assert str(run.folder / "slurm") in tail and "step 4/4 loss" in tail
    cancelled = runs.tool("--cancel", run.job)
    assert cancelled.returncode == 0, cancelled.stderr
    assert run.wait() == "CANCELLED"
    wait_for(lambda: "ended with exit code 75" in run.log(), 30, run.log)
    time.sleep(3)
    assert run.field("JobState") == "CANCELLED" and run.steps() < STEPS
    over = runs.tool("--cancel", run.job)
    assert over.returncode == 2 and "is over already" in over.stderr
    rest = runs.submit("cancelled", "--time", "10")
    assert rest.wait() == "COMPLETED", rest.log()
    assert "resumed from" in rest.log()
    assert_same(rest.final_state(), undisturbed.final_state())
    assert [row["step"] for row in rest.rows()] == list(range(1, STEPS + 1))


def test_a_task_that_is_killed_ends_the_job(runs):
    """It is no request to leave: the job has failed, and does not come back."""
    run = runs.submit("killed", "--time", "10")
    wait_for(lambda: run.steps() >= 7, BEGIN_SEC, run.log)
    os.kill(rank_of(run.folder), signal.SIGKILL)
    assert run.wait() == "FAILED", run.log()
    assert run.starts() == [0] and "lost another one, which was killed" in run.log()
    assert run.field("ExitCode") == "137:0" and not (run.folder / "PREEMPTED").exists()


def rank_of(folder):
    """Process id, as this machine counts, of a task that trains into a folder."""
    for process in os.listdir("/proc"):
        try:
            words = open(f"/proc/{process}/cmdline").read().split("\0") if process.isdigit() else []
        except OSError:  # it has ended meanwhile
            continue
        if str(folder) in words and "run_net.py" in words[1]:
            return int(process)
    raise AssertionError(f"no task trains into {folder}")


def test_gpus_that_slurm_counts(runs):
    """Two tasks a node with a GPU each, as SLURM sees it; PyTorch finds none, and the run goes on on CPUs."""
    options = {"SOLVER__MAX_EPOCH": 2, "SLOW__SEC": 0, "TEST__ENABLE": False}
    done = runs.tool("--cfg", CONFIG, "--nodes", 2, "--gpus_per_node", 2, *runs.words("gpus", **options))
    assert done.returncode == 0, done.stderr
    run = Run(runs.lab, done.stdout.split()[1], runs.folder / "gpus", done.stdout)
    assert run.wait() == "COMPLETED", run.log()
    assert "4 processes of SLURM, 8 clips" in run.log() and run.steps() == 8
    assert "gres/gpu=4" in run.field("TRES") or "gpu:2" in run.field("TresPerNode")


@pytest.mark.parametrize(
    "words, told",
    [
        (["--partition", "gpu"], "--partition gpu: this cluster has debug, urgent"),
        (["--nodes", "3"], "--nodes 3: partition debug has 2"),
        (["--gpus_per_node", "4"], "--gpus_per_node 4: partition debug has nodes with 2 GPU(s)"),
        (["--time", "2:00:00"], "--time 2:00:00: partition debug allows 60 minutes"),
        (["--sbatch=--qos=none", "--sbatch=--nodelist=node7"], "sbatch: "),
    ],
)
def test_refused_at_submission(runs, words, told):
    done = runs.tool("--cfg", CONFIG, "--gpus_per_node", 0, *words, *runs.words("refused"))
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("look", ["--status", "--tail", "--cancel"])
def test_a_job_that_is_not_there(runs, look):
    done = runs.tool(look, "999999")
    assert done.returncode == 2 and "job 999999 not found" in done.stderr, done.stderr
