"""What a user reads of jobs: their state, the end of their logs, that they were cancelled."""

from pathlib import Path

from slowfast.slurm import scheduler
from slowfast.utils.errors import UserError

TAIL_LINES = 20
MOST_BYTES = 1 << 16  # read from the end of a log


def status(name):
    """Lines about a job, or about each task of an array. Raises: UserError: not found."""
    return "\n".join(_describe(job) for job in scheduler.find_jobs(name))


def tail(name, lines=TAIL_LINES):
    """The last lines of a job's log, or of each task's of an array. Raises: UserError: not found, or no log yet."""
    parts = []
    for job in scheduler.find_jobs(name):
        path = Path(job.fields.get("StdOut", ""))
        if not path.is_file():
            parts.append(f"job {job.name} ({job.state}) has no log yet: {path}")
            continue
        parts.append("\n".join([f"== {path} (job {job.name}, {job.state})", *_last_lines(path, lines)]))
    return "\n".join(parts)


def cancel(name):
    """Ask SLURM to end a job; what it was. Raises: UserError: not found, or it is over already."""
    jobs = scheduler.find_jobs(name)
    if all(job.over for job in jobs):
        raise UserError(f"job {name} is over already: {', '.join(dict.fromkeys(job.state for job in jobs))}")
    scheduler.cancel(name)
    return f"job {name} cancelled; what it has saved stays, and the command that submitted it goes on from there"


def _describe(job):
    fields = job.fields
    ran = f"ran {fields.get('RunTime', '?')} of {fields.get('TimeLimit', '?')}"
    parts = [f"job {job.name} {job.state}", ran, f"restarts {fields.get('Restarts', '?')}"]
    if fields.get("NodeList", "(null)") != "(null)":
        parts.append(f"nodes {fields['NodeList']}")
    if fields.get("Reason", "None") != "None":
        parts.append(f"reason {fields['Reason']}")
    if job.over:
        parts.append(f"exit code {fields.get('ExitCode', '?').split(':')[0]}")
    path = Path(fields.get("StdOut", ""))
    lines = [", ".join(parts), f"  log {path}"]
    return "\n".join(lines + [f"  {line}" for line in (_last_lines(path, 1) if path.is_file() else [])])


def _last_lines(path, count):
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MOST_BYTES))
        return file.read().decode(errors="replace").splitlines()[-count:]
