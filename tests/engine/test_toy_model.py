"""The toy model, trained once by the shipped recipe: it learns, and what it learns is time."""

import json
import subprocess
import sys

import numpy as np
import pytest

from slowfast.datasets.toy import CLASSES

CONFIG = ("--cfg", "configs/Toy/xvit_toy.yaml")


@pytest.fixture(scope="module")
def trained(repo, toy_set, tmp_path_factory):
    """Folder of a run with the recipe as it is."""
    folder = tmp_path_factory.mktemp("toy_run")
    options = ("DATA.PATH_TO_DATA_DIR", str(toy_set), "OUTPUT_DIR", str(folder))
    ended = subprocess.run(
        [sys.executable, "tools/run_net.py", *CONFIG, *options], cwd=repo, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture
def tested(repo, toy_set, trained, tmp_path):
    """tested(frame order) -> (scores (V, K), labels (V,)) of the trained model."""

    def run(order):
        options = ["DATA.PATH_TO_DATA_DIR", toy_set, "OUTPUT_DIR", tmp_path, "TRAIN.ENABLE", "False"]
        options += ["TEST.CHECKPOINT_FILE_PATH", trained / "checkpoints/best.pyth", "TEST.FRAME_ORDER", order]
        subprocess.run([sys.executable, "tools/run_net.py", *CONFIG, *map(str, options)], cwd=repo, check=True)
        predictions = np.load(tmp_path / "predictions.npz")
        return predictions["scores"], predictions["labels"]

    return run


def test_it_learns(trained):
    result = json.loads((trained / "test_results.json").read_text())
    assert result["top1_acc"] >= 90
    assert result["top5_acc"] >= result["top1_acc"]
    assert (result["num_videos"], result["num_views"], result["num_unreadable"]) == (160, 2, 0)
    assert (trained / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_backwards_is_the_opposite(tested):
    scores, labels = tested("reversed")
    assert (scores.argmax(axis=1) == labels ^ 1).mean() >= 0.8


def test_shuffled_frames_tell_less(tested):
    scores, labels = tested("shuffled")
    assert 1 / len(CLASSES) < (scores.argmax(axis=1) == labels).mean() <= 0.6
