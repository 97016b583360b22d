"""Calls of SLURM's commands and what they answer, as plain values; the only place that runs them."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from slowfast.utils.errors import UserError

ANSWER_SEC = 120  # a busy controller answers late
OVER = (
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "NODE_FAIL",
    "PREEMPTED",
    "OUT_OF_MEMORY",
    "BOOT_FAIL",
    "DEADLINE",
)


@dataclass(frozen=True)
class Partition:
    """name; default: where jobs go that name none. nodes; cpus and gpus of its smallest node; most_seconds: the longest
    time limit it takes, None: any."""

    name: str
    default: bool
    nodes: int
    cpus: int
    gpus: int
    most_seconds: int | None


@dataclass(frozen=True)
class Job:
    """A job, or one task of an array. fields: all that scontrol says of it, by its names ("JobState", "StdOut")."""

    name: str  # "12", or "12_3" for a task of an array
    fields: dict

    @property
    def state(self):
        return self.fields.get("JobState", "UNKNOWN")

    @property
    def over(self):
        return self.state in OVER


def submit(words):
    """Hand `sbatch words` over; the job's number.

    Raises: UserError: with sbatch's own words.
    """
    return int(_answer("sbatch", "--parsable", *words).split(";")[0])


def partitions():
    """dict name -> Partition of those that this user sees."""
    found = {}
    for line in _answer("sinfo", "--noheader", "--exact", "--format=%P|%D|%c|%G|%l").splitlines():
        name, nodes, cpus, gres, limit = line.strip().split("|")
        gpus = sum(int(count) for count in re.findall(r"gpu(?::[^:,()]+)*:(\d+)", gres))
        part = Partition(
            name.rstrip("*"), name.endswith("*"), int(nodes), int(cpus.rstrip("+")), gpus, seconds_of(limit)
        )
        known = found.get(part.name)  # a line for each kind of node
        if known is not None:
            smallest = min(known.cpus, part.cpus), min(known.gpus, part.gpus)
            part = Partition(part.name, part.default, known.nodes + part.nodes, *smallest, part.most_seconds)
        found[part.name] = part
    return found


def find_jobs(name):
    """The Jobs that `name` ("12", "12_3") stands for: one, or the tasks of an array.

    Raises: UserError: SLURM knows no such job, or not any more.
    """
    if not re.fullmatch(r"\d+(_\d+)?", name):
        raise UserError(f"'{name}' is no job: give the number that submit.py or sbatch printed, 12 or 12_3")
    try:
        answer = _answer("scontrol", "--oneliner", "show", "job", name)
    except UserError as error:
        if "Invalid job id" not in str(error):
            raise
        raise UserError(
            f"job {name} not found: the controller forgets jobs some minutes after their end. `squeue --me` lists "
            f"those that wait or run, `sacct -j {name}` older ones where the cluster keeps accounts; logs stay in "
            "OUTPUT_DIR/slurm"
        ) from None
    jobs = [_job(line) for line in answer.splitlines() if line.strip()]
    return sorted(jobs, key=lambda job: [int(part) for part in re.findall(r"\d+", job.name)])


def job_with_comment(comment):
    """Number of a job of this user that waits or runs and was submitted with this comment; None: there is none."""
    states = "--states=PENDING,RUNNING,SUSPENDED"
    answer = _answer("squeue", "--noheader", f"--user={os.getuid()}", states, "--format=%A|%k")
    jobs = [line.split("|", 1) for line in answer.splitlines()]
    return next((job for job, said in jobs if said == comment), None)


def cancel(name):
    _answer("scancel", name)


def seconds_of(limit):
    """SLURM's ways to write a time: "90" (minutes), "90:00", "1:30:00", "1-0", "1-0:30" -> seconds; None: no limit.

    Raises: ValueError: none of them.
    """
    if limit.lower() in ("infinite", "unlimited"):
        return None
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", limit)
    if match is None:
        raise ValueError(limit)
    days, *parts = match.groups()
    parts = [int(part) for part in parts if part is not None]
    units = (3600, 60, 1) if days is not None or len(parts) == 3 else (60, 1)
    return int(days or 0) * 86400 + sum(part * unit for part, unit in zip(parts, units))


def _job(line):
    """From one line of `scontrol --oneliner show job`; a value goes until the next " Name="."""
    pairs = re.findall(r"(\w[\w:/]*)=(.*?)(?= \w[\w:/]*=|$)", line.strip())
    fields = dict(pairs)
    name = fields["JobId"]
    if "ArrayTaskId" in fields:
        name = f"{fields['ArrayJobId']}_{fields['ArrayTaskId']}"
    return Job(name, fields)


def _answer(*command):
    """What a command prints. Raises: UserError: it is missing, fails or does not answer."""
    if shutil.which(command[0]) is None:
        raise UserError(
            f"{command[0]} is not on PATH: run this where SLURM's commands are, a login node say, maybe after "
            "`module load slurm`. --dry_run shows what would be submitted without them"
        )
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SEC, check=False)
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not answer within {ANSWER_SEC} s; try again, or ask `sinfo`") from None
    if done.returncode:
        raise UserError(f"{' '.join(command[:1])}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
