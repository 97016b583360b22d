"""Training as a user starts it: what lands in the folder, with 1 and 2 processes, and how it ends when things fail."""

import json
import shutil

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.processes.launch import launch
from slowfast.engine.train import train


def weights(folder, name="checkpoint_epoch_00002.pyth"):
    return torch.load(folder / "checkpoints" / name, weights_only=True)["model_state"]


def lines(folder, split):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row for row in rows if row["split"] == split]


@pytest.fixture
def broken_set(small_set, tmp_path):
    """The small set with one training and one validation video that hold no video."""
    folder = tmp_path / "broken"
    shutil.copytree(small_set, folder)
    for split in ("train", "val"):
        path = (folder / f"{split}.csv").read_text().split()[0]
        (folder / path).write_text("<html>404</html>")
    return folder


def test_what_a_run_leaves_behind(tiny_cfg, tmp_path):
    cfg = tiny_cfg(TENSORBOARD__ENABLE=True, LOG_PERIOD=4)
    assert launch(train, cfg) == 0
    folder = tmp_path / "run"
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert names == {"checkpoint_epoch_00001.pyth", "checkpoint_epoch_00002.pyth", "best.pyth", "last"}
    assert (folder / "checkpoints/last").read_text() == "checkpoint_epoch_00002.pyth\n"
    assert load_cfg(folder / "config.yaml").dump() == cfg.dump()  # the stored configuration repeats the run
    assert list((folder / "tensorboard").iterdir())
    assert [row["step"] for row in lines(folder, "train")] == [4, 8, 12, 16]
    last = lines(folder, "train")[-1]
    assert last.keys() >= {
        "loss",
        "lr",
        "top1_acc",
        "clips_per_s",
        "data_wait",
        "eta_s",
        "grad_norm",
        "peak_memory_mib",
    }
    assert last["eta_s"] == 0 and last["epoch"] == 2 and 0 <= last["data_wait"] <= 1
    assert [row["clips"] for row in lines(folder, "val")] == [16, 16]
    assert [row["clips"] for row in lines(folder, "train_epoch")] == [32, 32]


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(tiny_cfg, tmp_path):
    changes = {"XVIT__BACKBONE__DROP_PATH_RATE": 0.2, "MODEL__DROPOUT_RATE": 0.2, "TRAIN__EVAL_PERIOD": 2}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        launch(train, tiny_cfg(RNG_SEED=seed, OUTPUT_DIR=tmp_path / name, **changes))
    a, b, c = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


def test_accumulation_gives_the_gradients_of_the_whole_batch(tiny_cfg, tmp_path):
    """8 clips at once, or 2 micro-batches of 4: the same clips a step, the same weights but for rounding."""
    for name, batch, micro_steps in (("whole", 8, 1), ("parts", 4, 2)):
        options = {
            "TRAIN__BATCH_SIZE": batch,
            "SOLVER__ACCUMULATE_STEPS": micro_steps,
            "SOLVER__OPTIMIZING_METHOD": "sgd",
        }
        assert launch(train, tiny_cfg(OUTPUT_DIR=tmp_path / name, SOLVER__MOMENTUM=0.0, **options)) == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    for key in whole:
        torch.testing.assert_close(whole[key], parts[key], rtol=0, atol=2e-6)


def test_two_processes_train_and_test_what_one_does(run_net, tmp_path):
    """The same effective batch: the same weights but for rounding, and every video is tested once."""
    options = {"SOLVER__OPTIMIZING_METHOD": "sgd", "TRAIN__BATCH_SIZE": 8, "TEST__BATCH_SIZE": 6}
    for processes in (1, 2):
        folder = tmp_path / f"{processes}"
        ended = run_net(NUM_PROCS=processes, OUTPUT_DIR=folder, **options)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("training done") == 1  # only one of them talks
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    for key in one:
        torch.testing.assert_close(one[key], two[key], rtol=0, atol=2e-6)
    results = [json.loads((tmp_path / name / "test_results.json").read_text()) for name in "12"]
    assert [result["num_videos"] for result in results] == [16, 16]
    assert [result["world_size"] for result in results] == [1, 2]
    scores = [np.load(tmp_path / name / "predictions.npz")["scores"] for name in "12"]
    np.testing.assert_allclose(*scores, atol=1e-5)


def test_an_unreadable_training_video_is_named_once_and_replaced(tiny_cfg, broken_set, tmp_path, small_set):
    """Validation loses a video and says so with exit code 1; the run itself goes to its end."""
    assert launch(train, tiny_cfg(DATA__PATH_TO_DATA_DIR=broken_set)) == 1
    log = (tmp_path / "run/stdout.log").read_text()
    assert log.count("unreadable training video") == 2  # when it is met, and in the summary
    assert "1 unreadable training video(s) were replaced 2 time(s)" in log
    assert log.count("unreadable validation video") == 2  # once a validation
    assert [row["unreadable"] for row in lines(tmp_path / "run", "val")] == [1, 1]
    assert [row["clips"] for row in lines(tmp_path / "run", "val")] == [15, 15]
    assert [row["clips"] for row in lines(tmp_path / "run", "train_epoch")] == [32, 32]


@pytest.mark.parametrize("allowed, code", [(0, 1), (1, 0)])
def test_an_unreadable_test_video_is_reported(run_net, broken_set, tmp_path, allowed, code):
    options = {"TRAIN__ENABLE": False, "TEST__ALLOW_RANDOM_WEIGHTS": True, "DATA__PATH_TO_DATA_DIR": broken_set}
    ended = run_net(TEST__MAX_UNREADABLE=allowed, **options)
    assert ended.returncode == code, ended.stderr
    result = json.loads((tmp_path / "run/test_results.json").read_text())
    assert (result["num_videos"], result["num_unreadable"]) == (15, 1)
    assert "unreadable test video" in ended.stdout


def test_a_loss_that_is_no_number_stops_the_run(run_net, tmp_path):
    """The step, lr and videos are named; the checkpoint before it stays and can be read."""
    options = {"SOLVER__OPTIMIZING_METHOD": "sgd", "SOLVER__WARMUP_EPOCHS": 0.0, "SOLVER__CLIP_GRAD_L2NORM": None}
    good = run_net(SOLVER__MAX_EPOCH=1, TEST__ENABLE=False, **options)
    assert good.returncode == 0, good.stderr
    ended = run_net(SOLVER__BASE_LR=1e30, **options)
    assert ended.returncode == 2
    for part in ("the loss is", "(epoch 2)", "with lr", "row numbers", "checkpoint_epoch_00001.pyth", "SOLVER.BASE_LR"):
        assert part in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "run/checkpoints/last").read_text() == "checkpoint_epoch_00001.pyth\n"
    assert all(
        torch.isfinite(tensor).all() for tensor in weights(tmp_path / "run", "checkpoint_epoch_00001.pyth").values()
    )


def test_too_few_videos_for_a_batch(run_net):
    ended = run_net(TRAIN__BATCH_SIZE=64)
    assert ended.returncode == 2
    assert "TRAIN.BATCH_SIZE" in ended.stderr and "Traceback" not in ended.stderr
