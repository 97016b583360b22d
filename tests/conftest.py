"""Fixtures shared by all tests; the only place that knows where reference data lies."""

import os
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
