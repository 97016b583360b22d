"""Masked pre-training as a run: the lowest loss is the best, a resumed run is the same, fine-tuning starts from it."""

import json
import subprocess
import sys

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.train import train

SMALL = {
    "VIDEO_VIT.PATCH_SIZE": 8,
    "VIDEO_VIT.EMBED_DIM": 24,
    "VIDEO_VIT.DEPTH": 2,
    "VIDEO_VIT.NUM_HEADS": 2,
    "VIDEO_MAE.DECODER_DEPTH": 1,
}
CPU = torch.device("cpu")


@pytest.fixture
def options(tiny_options, tmp_path):
    ours = {key: value for key, value in tiny_options.items() if not key.startswith(("XVIT", "TEMPORAL_HEAD"))}
    return ours | SMALL | {"SOLVER.MAX_EPOCH": 3, "TRAIN.CHECKPOINT_PERIOD_ITERS": 5, "CHECKPOINT.KEEP_LAST": 0}


@pytest.fixture
def config(repo, options):
    """config(name, KEY=value, ...): configs/Toy/<name>.yaml as a run of seconds."""

    def load(name, **changes):
        words = options | {key.replace("__", "."): value for key, value in changes.items()}
        return load_cfg(repo / f"configs/Toy/{name}.yaml", [str(word) for pair in words.items() for word in pair])

    return load


@pytest.fixture
def pretrained(config, tmp_path):
    """Folder of a finished pre-training."""
    assert train(config("videomae_toy_pretrain"), CPU) == 0
    return tmp_path / "run"


def lines(folder, split):
    written = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in written if line["split"] == split]


def test_the_lowest_validation_loss_is_the_best(pretrained):
    losses = [line["loss"] for line in lines(pretrained, "val")]
    assert [line["best"] for line in lines(pretrained, "val")] == [min(losses[: n + 1]) for n in range(3)]
    best = torch.load(pretrained / "checkpoints/best.pyth", weights_only=True)
    assert best["epoch"] == losses.index(min(losses))


def test_a_run_that_goes_on_inside_an_epoch_is_the_same(config, pretrained, tmp_path):
    folder = tmp_path / "again"
    (folder / "checkpoints").mkdir(parents=True)
    name = "checkpoint_epoch_00001_iter_00000010.pyth"
    source = pretrained / "checkpoints" / name
    (folder / "checkpoints" / name).write_bytes(source.read_bytes())
    (folder / "checkpoints/last").write_text(name + "\n")
    assert train(config("videomae_toy_pretrain", OUTPUT_DIR=folder), CPU) == 0
    ended = [
        torch.load(run / "checkpoints/checkpoint_epoch_00003.pyth", weights_only=True)["model_state"]
        for run in (pretrained, folder)
    ]
    assert all(torch.equal(tensor, ended[1][key]) for key, tensor in ended[0].items())


def test_fine_tuning_and_pictures(repo, config, options, pretrained, tmp_path):
    checkpoint = pretrained / "checkpoints/best.pyth"
    still = {"SOLVER__BASE_LR": 1e-12, "SOLVER__WARMUP_START_LR": 0, "SOLVER__COSINE_END_LR": 0}
    cfg = config("videomae_toy", TRAIN__CHECKPOINT_FILE_PATH=checkpoint, OUTPUT_DIR=tmp_path / "tuned", **still)
    assert train(cfg, CPU) == 0
    tuned = torch.load(tmp_path / "tuned/checkpoints/best.pyth", weights_only=True)["model_state"]
    start = torch.load(checkpoint, weights_only=True)["model_state"]
    shared = [key for key in tuned if not key.startswith(("head", "fc_norm"))]
    assert len(shared) == 2 + 2 * 13
    for key in shared:
        torch.testing.assert_close(tuned[key], start[f"encoder.{key}"])
    words = [str(word) for pair in options.items() for word in pair]
    command = [sys.executable, "tools/reconstruct.py", "--cfg", "configs/Toy/videomae_toy_pretrain.yaml", "--num", "3"]
    done = subprocess.run([*command, *words], cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((pretrained / "reconstructions").glob("video_0000[012]_mse_*.png"))) == 3
