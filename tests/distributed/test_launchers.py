"""run_net under torchrun and as the tasks of a SLURM step: who leaves how, and what the user reads."""

import os
import signal
import time
from pathlib import Path

import pytest

from slowfast.engine.processes.watchdog import Watchdog
from tests.distributed.test_preemption import PREEMPTED, wait_for

SLURM = {
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_STEP_TASKS_PER_NODE": "2",
    "SLURM_STEP_NODELIST": "localhost",
    "SLURM_NODEID": "0",
    "SLURM_STEP_ID": "0",
    "MASTER_ADDR": "127.0.0.1",
}


@pytest.fixture
def command(tiny_options, tmp_path):
    """Words behind `python` that train on CPUs for much longer than the tests take, a checkpoint every 5 steps."""
    options = tiny_options | {
        "NUM_GPUS": 0,
        "SOLVER.MAX_EPOCH": 500,
        "TRAIN.EVAL_PERIOD": 500,
        "TRAIN.CHECKPOINT_PERIOD": 500,
        "TRAIN.CHECKPOINT_PERIOD_ITERS": 5,
    }
    return [
        "tools/run_net.py",
        "--cfg",
        "configs/Toy/xvit_toy.yaml",
        *(str(word) for pair in options.items() for word in pair),
    ]


def workers(parent):
    """Ids of a process's children."""
    return list(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_torchrun(begin, command, tmp_path):
    """One worker is asked to leave: torchrun ends with 1, the marker tells why. One is killed: a line for each."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command]
    pointer = tmp_path / "run/checkpoints/last"
    agent = begin(torchrun)
    wait_for(pointer.exists, 120)
    os.kill(workers(agent.pid)[1], signal.SIGUSR1)
    output, _ = agent.communicate(timeout=60)
    assert agent.returncode == 1 and "left as asked" in output, output
    assert "saved after" in (tmp_path / "run/PREEMPTED").read_text()
    left_at = pointer.read_text()

    agent = begin(torchrun)
    wait_for(lambda: pointer.read_text() != left_at, 120)
    os.kill(workers(agent.pid)[1], signal.SIGKILL)
    output, _ = agent.communicate(timeout=60)
    assert agent.returncode == 1 and output.count("Traceback") == 1, output  # torchrun's own
    assert left_at.strip() in output and "process 0 of 2 lost another one" in output, output
    assert not (tmp_path / "run/PREEMPTED").exists()


def test_slurm_step(begin, command, tmp_path):
    """Two tasks: they meet, one is signalled, both end with the exit code that asks to be started again."""
    step = SLURM | {"SLURM_JOB_ID": str(os.getpid())}
    tasks = [begin(command, **step, SLURM_PROCID=str(rank), SLURM_LOCALID=str(rank)) for rank in range(2)]
    wait_for((tmp_path / "run/checkpoints/last").exists, 120)
    tasks[1].send_signal(signal.SIGTERM)
    outputs = [task.communicate(timeout=60)[0] for task in tasks]
    assert [task.returncode for task in tasks] == [PREEMPTED, PREEMPTED], outputs
    assert "2 processes of SLURM" in outputs[0] and outputs[1] == "", outputs


def test_a_process_does_not_outlive_its_launcher():
    """As torchrun's workers do not, whose agent was killed."""
    reader, writer = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        if os.fork() == 0:
            os.close(reader)
            watchdog = Watchdog(5, report=lambda text, echo: os.write(writer, text.encode()), launcher=os.getppid())
            for thread in watchdog.threads:
                thread.start()
            time.sleep(30)
        time.sleep(0.3)
        os._exit(0)
    os.close(writer)
    os.waitpid(launcher, 0)
    began = time.monotonic()
    with os.fdopen(reader) as file:
        assert "its launcher was killed" in file.read()
    assert time.monotonic() - began < 5
