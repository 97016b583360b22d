"""The launch rule: which process this is among which, by torchrun's variables, else SLURM's, else none."""

import re
from dataclasses import dataclass

from slowfast.utils.errors import UserError


@dataclass(frozen=True)
class Place:
    """One process among all.

    Args:
        rank, world_size: over all machines.
        local_rank, local_size: on this machine.
        url: where the processes meet, as torch.distributed takes it; "" for a single process.
        starter: who started it, for messages.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1
    url: str = ""
    starter: str = "run_net"


def given_place(environ):
    """The place that a launcher's environment variables give this process; None: it shall start processes itself.

    torchrun: RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE. SLURM: a step (srun) of several tasks, one a GPU; its
    processes meet at MASTER_ADDR:MASTER_PORT if these are set, else on the step's first node at a port made of the
    job's and the step's number. A batch script or an interactive shell without srun is no step of several tasks.

    Raises: UserError: a launcher's variables are incomplete.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ:
        return _from_torchrun(environ)
    if int(environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in environ:
        return _from_slurm(environ)
    return None


def _from_torchrun(environ):
    missing = [name for name in ("LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in environ]
    if missing:
        raise UserError(
            f"RANK and WORLD_SIZE are set, as torchrun does, but {', '.join(missing)} is not. Start with torchrun, set "
            "the rest, or unset RANK and WORLD_SIZE"
        )
    world_size = int(environ["WORLD_SIZE"])
    return Place(
        int(environ["RANK"]),
        world_size,
        int(environ["LOCAL_RANK"]),
        int(environ.get("LOCAL_WORLD_SIZE", world_size)),
        "env://" if world_size > 1 else "",
        "torchrun",
    )


def _from_slurm(environ):
    nodes = environ.get("SLURM_STEP_NODELIST") or environ.get("SLURM_JOB_NODELIST", "")
    host = environ.get("MASTER_ADDR") or first_host(nodes)
    if not host:
        raise UserError("SLURM_STEP_NODELIST is empty: set MASTER_ADDR to the host of the step's first task")
    tasks = expand_counts(environ.get("SLURM_STEP_TASKS_PER_NODE", environ["SLURM_STEP_NUM_TASKS"]))
    job, step = int(environ.get("SLURM_JOB_ID", 0)), int(environ.get("SLURM_STEP_ID", 0))
    port = environ.get("MASTER_PORT") or 20000 + (job * 17 + step) % 10000
    return Place(
        int(environ["SLURM_PROCID"]),
        int(environ["SLURM_STEP_NUM_TASKS"]),
        int(environ["SLURM_LOCALID"]),
        tasks[int(environ.get("SLURM_NODEID", 0))],
        f"tcp://{host}:{port}",
        "SLURM",
    )


def first_host(nodes):
    """First name of a SLURM node list: "gpu[03-05,9],x1" -> "gpu03"."""
    match = re.match(r"([^,\[]*)(?:\[(\w+)[^\]]*\]([^,]*))?", nodes)
    return "".join(part for part in match.groups() if part)


def expand_counts(text):
    """SLURM's counts a node: "2(x3),1" -> [2, 2, 2, 1]."""
    parts = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(count) for count, times in parts for _ in range(int(times or 1))]
