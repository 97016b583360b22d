"""What packing and resizing share: one output folder, one run at a time, workers that a bad file cannot stop."""

import csv
import fcntl
import io
import json
import os
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from slowfast.datasets.scan.guard import Bounds, guarded_map
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text

LOCK = ".lock"
TEMPORARY = ".tmp."  # beginning of the names of files that are not whole yet
SECONDS_A_FRAME = 2.0  # what a chunk of frames may take, beyond the bound of a file
_BOUNDS = Bounds(seconds=120, memory=4 << 30)
_FAILURES = {"time": "took too long", "memory": "took too much memory", "crash": "crashed the decoder"}


@contextmanager
def output_folder(path):
    """The folder `path`, made if missing and held by this run alone; leftovers of killed runs are removed.

    Raises: UserError: another run works in it, or it cannot be written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = open(path / LOCK, "w")
    except OSError as error:
        raise UserError(f"--out {path}: cannot be written ({error.strerror}); choose another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"--out {path}: another run works in this folder; wait for it, or choose another") from None
        for leftover in path.rglob(f"{TEMPORARY}*"):
            leftover.unlink(missing_ok=True)
        yield path


@contextmanager
def whole_file(path):
    """Path of a temporary file in the same folder, which becomes `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}.{path.name[-100:]}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run_guarded(function, tasks, *, workers, title, name=lambda task: task["path"]):
    """Yield (task, value, reason) as the tasks end; value None where one failed, for `reason`.

    A task whose function raises, hangs, or kills its process costs only itself.

    Args:
        function: see `guarded_map`; it returns (value, reason).
        tasks: list of dicts.
        title: of the progress bar.
    """
    with tqdm(total=len(tasks), desc=title, unit="video", dynamic_ncols=True) as bar:
        for task, outcome in guarded_map(function, tasks, workers=workers, bounds=_BOUNDS):
            bar.update()
            if outcome.failure:
                reason = _FAILURES.get(outcome.failure, "failed")
                yield task, None, f"{reason}: {outcome.detail}" if outcome.detail else reason
            else:
                yield task, *outcome.value


def keep_options(path, options):
    """Write the options of a run to a JSON file, or compare them with those that are there.

    Raises: UserError: the folder was begun with other options.
    """
    if not path.exists():
        atomic_write_text(path, json.dumps({"options": options}, indent=1) + "\n")
        return
    found = json.loads(path.read_text())["options"]
    if found != options:
        changed = ", ".join(f"--{key} {found.get(key)}" for key in options if found.get(key) != options[key])
        raise UserError(f"{path} says that this folder was begun with {changed}; use that, or another --out")


def write_list(path, rows):
    """Write a list, replaced whole; see `list_text`."""
    atomic_write_text(path, list_text(rows))


def list_text(rows):
    """(path, label) rows as a list in Kinetics' format: commas between, quotes where needed."""
    with io.StringIO(newline="") as text:
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue()


def write_unreadable(path, unreadable):
    """`unreadable.csv` with columns path and reason; removed where there is nothing to tell."""
    if unreadable:
        write_list(path, [("path", "reason"), *sorted(unreadable)])
    else:
        Path(path).unlink(missing_ok=True)
