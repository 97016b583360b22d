"""What SLURM's commands print, as values; the printed texts are SLURM 22.05's."""

import pytest

from slowfast.slurm import scheduler
from slowfast.slurm.scheduler import Partition, find_jobs, partitions, seconds_of
from slowfast.utils.errors import UserError

SINFO = """\
debug*|2|16|gpu:2|1:00:00
gpu|4|128|gpu:a100:8(S:0-1)|2-00:00:00
gpu|2|64+|gpu:v100:4(S:0-1),tmp:1|2-00:00:00
cpu|9|32|(null)|infinite
"""
ARRAY = """\
JobId=8 ArrayJobId=7 ArrayTaskId=1 JobName=xvit_toy UserId=root(0) JobState=RUNNING Reason=None Dependency=(null) \
StdOut=/out/a b/slurm/7_1.out Restarts=0 AllocNode:Sid=host:12
JobId=7 ArrayJobId=7 ArrayTaskId=0 JobName=xvit_toy UserId=root(0) JobState=COMPLETED Reason=None Dependency=(null) \
StdOut=/out/a b/slurm/7_0.out Restarts=2 AllocNode:Sid=host:12
"""


@pytest.fixture
def answers(monkeypatch):
    """answers(text): what the next command prints."""
    return lambda text: monkeypatch.setattr(scheduler, "_answer", lambda *command: text)


@pytest.mark.parametrize(
    "limit, seconds",  # sbatch(1), --time
    [
        ("90", 5400),
        ("90:30", 5430),
        ("1:30:00", 5400),
        ("1-0", 86400),
        ("1-2:30", 95400),
        ("1-2:30:01", 95401),
        ("infinite", None),
        ("UNLIMITED", None),
    ],
)
def test_time_limits(limit, seconds):
    assert seconds_of(limit) == seconds


@pytest.mark.parametrize("limit", ["", "soon", "1h", "1-", "1:2:3:4", "-1"])
def test_what_is_no_time(limit):
    with pytest.raises(ValueError):
        seconds_of(limit)


def test_partitions(answers):
    answers(SINFO)
    assert partitions() == {
        "debug": Partition("debug", True, 2, 16, 2, 3600),
        "gpu": Partition("gpu", False, 6, 64, 4, 172800),  # of the smallest node
        "cpu": Partition("cpu", False, 9, 32, 0, None),
    }


def test_tasks_of_an_array(answers):
    answers(ARRAY)
    jobs = find_jobs("7")
    assert [(job.name, job.state, job.over) for job in jobs] == [("7_0", "COMPLETED", True), ("7_1", "RUNNING", False)]
    assert jobs[1].fields["StdOut"] == "/out/a b/slurm/7_1.out" and jobs[0].fields["Restarts"] == "2"


def test_what_is_no_job():
    with pytest.raises(UserError, match="'xvit' is no job"):
        find_jobs("xvit")


def test_no_slurm_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sinfo is not on PATH"):
        partitions()
