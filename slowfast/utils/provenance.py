"""Where a result comes from: the commit of the code that runs and the versions below it."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DISTRIBUTIONS = ("slowfast", "torch", "torchvision", "av", "numpy")
GIT_SECONDS = 20


def code_version(folder=PACKAGE):
    """The commit that the code in `folder` was checked out from.

    Returns:
        {"commit": hex hash, "dirty": whether a tracked file or an untracked .py file differs from it}, or None where
        the folder is not under version control (an installed copy), git is missing or does not answer.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", "__init__.py")  # fails for a copy that lies in another checkout
        commit = _git(folder, "rev-parse", "HEAD").strip()
        changes = _git(folder, "status", "--porcelain", "--untracked-files=all", "--", ":/").splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": any(not line.startswith("??") or line.endswith(".py") for line in changes)}


def versions():
    """dict of Python, the libraries that scores depend on (None where not installed) and the platform."""
    found = {"python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found | {"platform": platform.platform()}


def _git(folder, *arguments):
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]  # no locks: only looking
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS).stdout
