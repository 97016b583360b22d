"""TRAIN.PARALLEL fsdp: the losses of ddp, with weights, gradients and momenta shared out; saved, resumed, tested."""

import json
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.engine.saving import sharded
from slowfast.engine.test import test as score_job
from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint
from tests.distributed.ranks import at, end_by
from tests.engine.test_resume import assert_same
from tools import convert_weights

TOLERANCE = 1e-6
FULL = {  # all that has to do with weights, gradients and momenta
    "SOLVER__OPTIMIZING_METHOD": "adamw",
    "SOLVER__ACCUMULATE_STEPS": 2,
    "SOLVER__EMA_DECAY": 0.9,
    "SOLVER__LAYER_DECAY": 0.8,
    "SOLVER__CLIP_GRAD_L2NORM": 1.0,
    "SOLVER__EPS": 1e-3,  # else AdamW turns rounding into steps
    "MODEL__FREEZE": ["base_model.blocks.0.attn"],
    "TRAIN__BATCH_SIZE": 12,
}


@pytest.fixture
def sgd(run_cfg):
    """sgd(name, epochs, ...): nothing random in the network, 2 steps of 12 clips an epoch."""

    def load(name, epochs=3, **changes):
        return run_cfg(name, **({"SOLVER__OPTIMIZING_METHOD": "sgd", "SOLVER__MAX_EPOCH": epochs} | changes))

    return load


@pytest.fixture
def trained(sgd, start, losses):
    """trained(name, world_size, ...): losses of a run that ended well."""

    def run(name, world_size, **options):
        ranks = start(sgd(name, **options), world_size)
        assert ranks.wait() == [0] * world_size, ranks.errors
        return np.array(losses(name))

    return run


@pytest.mark.parametrize("world_size", [2, 4])
def test_losses_of_ddp(trained, world_size):
    ddp, fsdp = (trained(name, world_size, epochs=5, TRAIN__PARALLEL=name) for name in ("ddp", "fsdp"))
    assert len(ddp) == 10 and max(ddp) - min(ddp) > 1e-3
    np.testing.assert_allclose(fsdp, ddp, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "options, tolerance",
    [
        (FULL, TOLERANCE),
        (FULL | {"SOLVER__CLIP_GRAD_L2NORM": None, "SOLVER__CLIP_GRAD_VAL": 0.01}, TOLERANCE),
        ({"MODEL__ACT_CHECKPOINT": True}, TOLERANCE),
        ({"TRAIN__PRECISION": "bf16"}, TOLERANCE),
        ({"TRAIN__PRECISION": "bf16", "MODEL__ACT_CHECKPOINT": True}, TOLERANCE),
        ({"TRAIN__PRECISION": "fp16"}, TOLERANCE),
    ],
    ids=["all on", "clip by value", "recomputed", "bf16", "bf16 recomputed", "fp16"],
)
def test_losses_and_norms_of_ddp(trained, tmp_path, options, tolerance):
    ddp, fsdp = (trained(name, 2, TRAIN__PARALLEL=name, **options) for name in ("ddp", "fsdp"))
    np.testing.assert_allclose(fsdp, ddp, rtol=0, atol=tolerance)
    rows = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("ddp", "fsdp")
    ]
    norms, validated = (
        [[row[key] for row in run if row["split"] == split] for run in rows]
        for key, split in (("grad_norm", "train"), ("loss", "val"))
    )
    np.testing.assert_allclose(norms[1], norms[0], rtol=1e-5 if tolerance == TOLERANCE else 1e-2)
    np.testing.assert_allclose(validated[1], validated[0], rtol=0, atol=tolerance)


@pytest.fixture
def shards(tmp_path):
    """shards(name): folders of shards of a run, and what else lies there."""

    def read(name):
        paths = sorted((tmp_path / name / "checkpoints").iterdir())
        return [path for path in paths if path.is_dir()], [path.name for path in paths if not path.is_dir()]

    return read


@pytest.fixture
def whole_state(tmp_path):
    """whole_state(name): content of a run's last checkpoint, joined, without the configuration."""

    def read(name):
        folder = tmp_path / name / "checkpoints"
        content = dict(read_checkpoint(folder / (folder / "last").read_text().strip()))
        content.pop("cfg")
        return content

    return read


OFTEN = FULL | {
    "SOLVER__ACCUMULATE_STEPS": 1,
    "SOLVER__MAX_EPOCH": 2,
    "TRAIN__PARALLEL": "fsdp",
    "TRAIN__CHECKPOINT_PERIOD_ITERS": 1,
    "CHECKPOINT__KEEP_LAST": 2,
}


def test_a_checkpoint_in_shards_holds_what_one_of_ddp_does(trained, whole_state, shards):
    """Each process has a file with its part; no folder stays that no checkpoint names."""
    for name in ("ddp", "fsdp"):
        trained(name, 2, **OFTEN | {"TRAIN__PARALLEL": name})
    folders, files = shards("fsdp")
    assert files == shards("ddp")[1] and len(files) == 4  # two kept, best.pyth, last
    assert 2 <= len(folders) <= 3 and sorted(path.name for path in folders[0].iterdir()) == [
        ".metadata",
        "__0_0.distcp",
        "__1_0.distcp",
    ]
    assert_near(whole_state("fsdp"), whole_state("ddp"))


def assert_near(a, b, where=""):
    """As `assert_same`, but for the rounding of numbers."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_near(a[key], b[key], f"{where}/{key}")
    elif isinstance(a, torch.Tensor):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-5, msg=lambda text: f"{where}: {text}")
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-4), where
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for one, other in zip(a, b):
            assert_near(one, other, where)
    else:
        assert a == b, where


@pytest.mark.faults
@pytest.mark.parametrize(
    "before, after",
    [(("fsdp", 2), ("fsdp", 2)), (("fsdp", 2), ("fsdp", 3)), (("fsdp", 2), ("ddp", 1)), (("ddp", 2), ("fsdp", 4))],
)
def test_resumed(sgd, start, losses, trained, whole_state, before, after):
    """After a kill, with as many processes to the bit; with others, or the other way to share, up to rounding."""
    expected = trained("whole", after[1], **OFTEN | {"TRAIN__PARALLEL": after[0]})
    cfg = sgd("cut", **OFTEN | {"TRAIN__PARALLEL": before[0], "CHECKPOINT__ASYNC": after[1] == 3})
    killed = start(cfg, before[1], prepare=at("backward", 2, end_by(signal.SIGKILL)))
    assert killed.wait()[0] == -signal.SIGKILL
    found = trained("cut", after[1], **OFTEN | {"TRAIN__PARALLEL": after[0]})
    if before == after:
        assert_same(whole_state("cut"), whole_state("whole"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.faults
def test_asked_to_leave(sgd, start, trained, whole_state, tmp_path):
    trained("whole", 2, **OFTEN)
    cfg = sgd("cut", **OFTEN | {"TRAIN__CHECKPOINT_PERIOD_ITERS": 0})
    left = start(cfg, 2, prepare=at("forward", 2, end_by(signal.SIGUSR1), rank=1))
    assert left.wait() == [75, 75], left.errors
    assert (tmp_path / "cut/PREEMPTED").exists()
    trained("cut", 2, **OFTEN | {"TRAIN__CHECKPOINT_PERIOD_ITERS": 0})
    assert_same(whole_state("cut"), whole_state("whole"))


def die_while(step, rank):
    """`prepare`: a process is killed in the middle of writing its part of the checkpoint of this step."""

    def prepare(number):
        if number != rank:
            return
        write = sharded.dcp.FileSystemWriter.write_data

        def half(writer, plan, planner):
            future = write(writer, plan, planner)
            if f"shards_{step:08d}" in str(writer.path):
                for path in Path(writer.path).glob(f"__{rank}_*"):
                    os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            return future

        sharded.dcp.FileSystemWriter.write_data = half

    return prepare


@pytest.mark.faults
@pytest.mark.parametrize("save_async", [False, True])
def test_killed_while_saving(sgd, start, trained, whole_state, shards, tmp_path, save_async):
    options = OFTEN | {"DIST__TIMEOUT_SEC": 30, "CHECKPOINT__ASYNC": save_async}
    trained("whole", 2, **options)
    killed = start(sgd("cut", **options), 2, prepare=die_while(3, 1))
    assert killed.wait()[1] == -signal.SIGKILL
    assert (tmp_path / "cut/checkpoints/last").read_text() == "checkpoint_epoch_00000_iter_00000001.pyth\n"
    trained("cut", 2, **options)
    assert_same(whole_state("cut"), whole_state("whole"))
    assert len(shards("cut")[0]) == len(shards("whole")[0])  # the torn one is gone


@pytest.mark.faults
def test_a_damaged_shard_is_named_and_the_checkpoint_before_it_used(sgd, start, trained, tmp_path):
    trained("run", 2, **OFTEN)
    last = tmp_path / "run/checkpoints" / (tmp_path / "run/checkpoints/last").read_text().strip()
    folder = last.parent / torch.load(last, weights_only=True)["shards"]["folder"]
    shard = folder / "__1_0.distcp"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=f"has a damaged shard, {shard}"):
        read_checkpoint(last)
    trained("run", 2, **OFTEN)
    assert f"{last} has a damaged shard, {shard}; going back to" in (tmp_path / "run/stdout.log").read_text()


@pytest.mark.faults
def test_a_full_disk_names_the_shard(sgd, start, shards, tmp_path):
    """Only the second process's disk is full; nothing half-written stays."""
    ranks = start(sgd("run", **OFTEN), 2, prepare=at("forward", 2, quota, rank=1))
    codes = ranks.wait()
    assert set(codes) <= {1, 2} and 2 in codes, ranks.errors
    assert any("cannot write the shard of process 1 in" in text and "File too large" in text for text in ranks.errors)
    assert len(shards("run")[0]) == 1


def quota():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))


def test_another_model_is_refused(sgd, start, trained):
    trained("run", 2, TRAIN__PARALLEL="fsdp", SOLVER__MAX_EPOCH=1)
    ranks = start(sgd("run", TRAIN__PARALLEL="fsdp", XVIT__MLP_RATIO=2.0), 2)
    assert ranks.wait() == [2, 2], ranks.errors
    assert "does not fit this configuration" in ranks.errors[0] and "has shape" in ranks.errors[0]


@pytest.mark.faults
def test_tested_from_shards_and_from_one_file(run_cfg, start, trained, tmp_path):
    """Scores of a checkpoint in shards and of the file made of it by convert_weights; losses of what starts from it."""
    trained("run", 2, TRAIN__PARALLEL="fsdp", SOLVER__MAX_EPOCH=1)
    best = tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth"
    one_file = tmp_path / "one.safetensors"
    assert convert_weights.main([str(best), "--to", "safetensors", "--out", str(one_file)]) == 0
    scores = []
    for name, file in (("shards", best), ("one file", one_file)):
        options = {"TEST__CHECKPOINT_FILE_PATH": file, "TRAIN__ENABLE": False, "TEST__BATCH_SIZE": 4}
        ranks = start(run_cfg(name, TRAIN__PARALLEL="fsdp", **options), 2, job=score_job)
        assert ranks.wait() == [0, 0], ranks.errors
        scores.append(np.load(tmp_path / name / "predictions.npz")["scores"])
    assert np.array_equal(*scores)
    begun = trained("begun", 1, TRAIN__CHECKPOINT_FILE_PATH=best, TRAIN__CHECKPOINT_EPOCH_RESET=True)
    again = trained("again", 2, TRAIN__CHECKPOINT_FILE_PATH=one_file, TRAIN__PARALLEL="fsdp")
    np.testing.assert_allclose(begun, again, rtol=0, atol=TOLERANCE)


@pytest.mark.faults
def test_checkpoints_without_the_frozen_part(sgd, trained, whole_state, tmp_path):
    """They hold what is trained; a resumed run builds the rest again, and refuses another one."""
    options = OFTEN | {"CHECKPOINT__TRAINABLE_ONLY": True, "MODEL__FREEZE": ["base_model.blocks.0"]}
    trained("whole", 2, **options)
    trained("cut", 2, **options | {"SOLVER__MAX_EPOCH": 1, "SOLVER__WARMUP_EPOCHS": 0.5})
    state = whole_state("cut")
    assert (
        not any("base_model.blocks.0." in name for name in state["model_state"]) and len(state["frozen_sha256"]) == 64
    )
    assert state["frozen_sha256"] == whole_state("whole")["frozen_sha256"]
    trained("cut", 2, **options)
    assert whole_state("cut")["train_state"]["step"] == whole_state("whole")["train_state"]["step"] == 4


def test_another_frozen_part_is_refused(sgd, start, trained):
    options = OFTEN | {"CHECKPOINT__TRAINABLE_ONLY": True, "MODEL__FREEZE": ["base_model.blocks.0"]}
    trained("run", 2, **options | {"SOLVER__MAX_EPOCH": 1})
    ranks = start(sgd("run", **options, RNG_SEED=7), 2)
    assert 2 in ranks.wait() and any("frozen weights here have another SHA-256" in text for text in ranks.errors)
