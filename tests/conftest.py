"""Fixtures shared by all tests; the only place that knows where reference data lies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Many small tensors: more threads only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repo():
    """The root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def reference_dir():
    """Folder of reference vectors and footage; a clone without it skips the tests that need it."""
    folder = Path(os.environ.get("SLOWFAST_REFERENCE_DIR", REPO.parent / "shared"))
    if not (folder / "parity").is_dir():
        pytest.skip(f"no reference data in {folder}; set SLOWFAST_REFERENCE_DIR to its folder")
    return folder


@pytest.fixture(scope="session")
def toy_set(repo, tmp_path_factory):
    """Folder of the toy data set at its full size, made once."""
    folder = tmp_path_factory.mktemp("toy")
    command = [sys.executable, "tools/prepare/make_toy_dataset.py", "--out", str(folder)]
    subprocess.run(command, cwd=repo, check=True, capture_output=True)
    return folder
