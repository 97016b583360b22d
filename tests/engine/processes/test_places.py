"""Which process this is, by the variables of torchrun and SLURM."""

import pytest

from slowfast.engine.processes.places import Place, expand_counts, first_host, given_place
from slowfast.utils.errors import UserError

TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "a",
    "MASTER_PORT": "1",
}
SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_STEP_NUM_TASKS": "7",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_STEP_TASKS_PER_NODE": "4,3",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_JOB_ID": "1234",
    "SLURM_STEP_ID": "2",
}


def test_nothing_given():
    assert given_place({}) is None


def test_torchrun_comes_first():
    assert given_place(SLURM | TORCHRUN) == Place(5, 8, 1, 4, "env://", "torchrun")


def test_torchrun_incomplete():
    with pytest.raises(UserError, match="LOCAL_RANK, MASTER_PORT is not"):
        given_place({"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "a"})


def test_slurm_step():
    place = given_place(SLURM)
    assert (place.rank, place.world_size, place.local_rank, place.local_size) == (5, 7, 1, 3)
    assert place.url.startswith("tcp://gpu07:") and 20000 <= int(place.url.rpartition(":")[2]) < 30000
    assert given_place(SLURM | {"SLURM_STEP_ID": "3"}).url != place.url  # two steps of one job do not meet
    assert given_place(SLURM | {"MASTER_ADDR": "head", "MASTER_PORT": "99"}).url == "tcp://head:99"


@pytest.mark.parametrize(
    "environment", [{"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, SLURM | {"SLURM_STEP_NUM_TASKS": "1"}]
)
def test_a_batch_script_or_a_single_task_is_no_launcher(environment):
    assert given_place(environment) is None


@pytest.mark.parametrize(
    "nodes, host",
    [("n1", "n1"), ("n1,n2", "n1"), ("gpu[03-05,9],x1", "gpu03"), ("a[7]-ib,b", "a7-ib"), ("r1-n[2,5]", "r1-n2")],
)
def test_first_host(nodes, host):
    assert first_host(nodes) == host


def test_expand_counts():
    assert expand_counts("2(x3),1") == [2, 2, 2, 1]
