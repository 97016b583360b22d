"""A small TSTL to train: a toy set of six actions in three groups, a trunk, and overrides of the toy YAMLs."""

import os
import subprocess
import sys

import pytest
import torch

from projects.cast.spatial_expert import ClipViT
from projects.cast.tests.sizes import SIZES
from projects.cast.tstl.groups import Groups
from slowfast.models.video_vit import VideoViT
from tools.prepare.make_toy_dataset import make_toy_dataset

CROP, FRAMES = 32, 4
SPATIAL = {name: SIZES[name] for name in ("patch_size", "embed_dim", "depth", "num_heads")}
OF_CLASS = [noun % 3 for _ in range(2) for noun in range(12)]  # 24 actions in 3 groups


@pytest.fixture(scope="session")
def actions(tmp_path_factory):
    """Folder of a toy set with a verb and a noun: 48 training and 24 validation clips."""
    folder = tmp_path_factory.mktemp("actions") / "set"
    options = {"train_per_class": 2, "val_per_class": 1, "size": CROP, "num_frames": 8, "fps": 12, "seed": 1}
    make_toy_dataset(folder, kind="verb_noun", **options)
    return folder


@pytest.fixture(scope="session")
def stage_options(actions, tmp_path_factory):
    """Overrides that make the toy YAMLs of TSTL runs of seconds."""
    folder = tmp_path_factory.mktemp("stages")
    torch.manual_seed(5)
    torch.save({"model": ClipViT(7, CROP, **SPATIAL).state_dict()}, folder / "clip.pth")
    video_vit = VideoViT(7, FRAMES, CROP, **SPATIAL, mlp_ratio=SIZES["mlp_ratio"])
    torch.save({"model": video_vit.state_dict()}, folder / "videomae.pth")
    Groups(tuple(OF_CLASS)).write(folder / "groups.json")
    return {
        **{f"CAST.{name.upper()}": value for name, value in SIZES.items()},
        "CAST.CLIP_PATH": folder / "clip.pth",
        "CAST.VIDEOMAE_PATH": folder / "videomae.pth",
        "TSTL.GROUPS_PATH": folder / "groups.json",
        "DATA.PATH_TO_DATA_DIR": actions,
        "DATA.NUM_FRAMES": FRAMES,
        "TRAIN.BATCH_SIZE": 4,
        "TRAIN.BALANCED_BATCH": [2, 2],
        "TRAIN.EVAL_PERIOD": 1,
        "TEST.BATCH_SIZE": 8,
        "SOLVER.MAX_EPOCH": 1,
        "DATA_LOADER.NUM_WORKERS": 0,
        "TENSORBOARD.ENABLE": False,
        "LOG_PERIOD": 2,
    }


@pytest.fixture
def words(stage_options):
    """words(KEY=value, ...): overrides as a list of texts, with "__" for "."."""

    def of(**changes):
        options = stage_options | {key.replace("__", "."): value for key, value in changes.items()}
        return [str(word) for pair in options.items() for word in pair]

    return of


@pytest.fixture
def command(repo, words):
    """command(program, yaml, KEY=value, ...): the words of a command line on a toy YAML of TSTL."""

    def of(program, name, *further, **changes):
        config = f"projects/cast/configs/Toy/{name}.yaml"
        return [sys.executable, program, "--cfg", config, *further, *words(**changes)]

    return of


@pytest.fixture
def finished(repo, command):
    """As `command`, run to its end; the finished process with its output as text."""

    def run(*args, **changes):
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(repo)}
        return subprocess.run(
            command(*args, **changes), cwd=repo, capture_output=True, text=True, timeout=300, env=environment
        )

    return run
