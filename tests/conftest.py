"""Fixtures shared by all tests; the only place that knows where reference data lies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REPO = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption("--slurm", action="store_true", help="run tests/slurm, which starts SLURM's daemons (minutes)")
    parser.addoption("--faults", type=int, default=5, metavar="N", help="moments at which runs are killed (default: 5)")


FIRST = (
    *("tests/distributed", "tests/engine/processes", "tests/engine/test_frozen_layers.py"),
    *("tests/engine/test_toy_model.py", "projects/cast/tests/tstl/test_runs.py"),
)


def pytest_collection_modifyitems(items):
    """FIRST tests first: some fork their ranks, which torch forbids a process that has used autograd's own threads; the
    last two are long, and would keep one worker busy after the rest."""

    def place(item):
        path = item.path.relative_to(REPO).as_posix()
        return next((number for number, first in enumerate(FIRST) if path.startswith(first)), len(FIRST))

    items.sort(key=place)


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


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
    """Folder of a toy data set small enough for tests of the machinery: 32 training and 16 validation clips, 32 px."""
    from tools.prepare.make_toy_dataset import make_toy_dataset

    folder = tmp_path_factory.mktemp("small") / "set"
    make_toy_dataset(folder, train_per_class=4, val_per_class=2, size=32, num_frames=12, fps=12, seed=1)
    return folder


@pytest.fixture
def tiny_options(small_set, tmp_path):
    """Overrides that make configs/Toy/xvit_toy.yaml a run of seconds, written to tmp_path / "run"."""
    return tiny_options_of(small_set) | {"OUTPUT_DIR": str(tmp_path / "run")}


def tiny_options_of(small_set):
    """As the fixture, without OUTPUT_DIR."""
    return {
        "DATA.PATH_TO_DATA_DIR": str(small_set),
        "DATA.NUM_FRAMES": 4,
        "DATA.TRAIN_JITTER_SCALES": [32, 32],
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TEST_CROP_SIZE": 32,
        "XVIT.EMBED_DIM": 16,
        "XVIT.DEPTH": 2,
        "XVIT.LOCATIONS_LIST": [0, 1],
        "XVIT.NUM_SEGMENTS": 4,
        "XVIT.NUM_TEMPORAL_EMBEDDINGS": 4,
        "XVIT.PRETRAIN_IMAGE_SIZE": 32,
        "TEMPORAL_HEAD.HIDDEN_DIM": 16,
        "TEMPORAL_HEAD.MLP_DIM": 16,
        "TRAIN.BATCH_SIZE": 4,
        "TRAIN.EVAL_PERIOD": 1,
        "TRAIN.CHECKPOINT_PERIOD": 1,
        "TEST.BATCH_SIZE": 4,
        "SOLVER.MAX_EPOCH": 2,
        "SOLVER.WARMUP_EPOCHS": 0.5,
        "DATA_LOADER.NUM_WORKERS": 0,
        "TENSORBOARD.ENABLE": False,
        "LOG_PERIOD": 2,
    }


@pytest.fixture
def run_net(repo, tiny_options):
    """Calls tools/run_net.py on the tiny configuration in a process of its own, as a user does.

    run_net(KEY=value, ...) with "__" for "."; returns the finished process (returncode, stdout, stderr as text).
    """

    def run(*words, **changes):
        options = tiny_options | {key.replace("__", "."): value for key, value in changes.items()}
        command = [sys.executable, "tools/run_net.py", "--cfg", "configs/Toy/xvit_toy.yaml", *words]
        command += [str(word) for pair in options.items() for word in pair]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=300, env=environment)

    return run


@pytest.fixture
def tiny_cfg(repo, tiny_options):
    """tiny_cfg(KEY=value, ...) is the tiny configuration, frozen, with "__" for "." in its keys."""
    from slowfast.config import load_cfg

    def load(**changes):
        options = tiny_options | {key.replace("__", "."): value for key, value in changes.items()}
        words = [str(word) for pair in options.items() for word in pair]
        return load_cfg(repo / "configs/Toy/xvit_toy.yaml", words)

    return load
