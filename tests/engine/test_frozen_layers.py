"""Runs of ViTLLaMA: frozen layers come from their own files, never from or into checkpoints."""

import json

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.test import test as run_test
from slowfast.engine.train import train
from slowfast.models import build_model
from slowfast.utils.errors import UserError
from tests.distributed.ranks import Ranks
from tests.weights.llama_sets import meta_state, to_hugging_face, write_hugging_face, write_meta

CPU = torch.device("cpu")
SIZES = {
    "VIDEO_VIT.PATCH_SIZE": 8,
    "VIDEO_VIT.EMBED_DIM": 24,
    "VIDEO_VIT.DEPTH": 2,
    "VIDEO_VIT.NUM_HEADS": 2,
    "VIT_LLAMA.DIM": 48,
    "VIT_LLAMA.NUM_HEADS": 6,
    "VIT_LLAMA.NUM_KV_HEADS": 2,
    "VIT_LLAMA.FFN_DIM": 56,
}


@pytest.fixture
def llama(tmp_path):
    return write_hugging_face(tmp_path / "llama", to_hugging_face(meta_state()), shards=3)


@pytest.fixture
def config(repo, tiny_options, llama):
    """config(KEY=value, ...): configs/Toy/vit_llama_toy.yaml as a run of seconds."""
    ours = {key: value for key, value in tiny_options.items() if not key.startswith(("XVIT", "TEMPORAL_HEAD"))}

    def load(**changes):
        words = ours | SIZES | {"VIT_LLAMA.PATH": str(llama), "SOLVER.MAX_EPOCH": 1, "SOLVER.EMA_DECAY": 0.9}
        words |= {key.replace("__", "."): value for key, value in changes.items()}
        return load_cfg(repo / "configs/Toy/vit_llama_toy.yaml", [str(word) for pair in words.items() for word in pair])

    return load


def checkpoint(folder):
    return torch.load(folder / "checkpoints/best.pyth", weights_only=True)


@pytest.mark.parametrize("storage", ["fp32", "bf16", "int8"])
def test_checkpoints_hold_source_and_digest_instead(config, llama, tmp_path, storage):
    cfg = config(VIT_LLAMA__DTYPE=storage)
    assert train(cfg, CPU) == 0
    content = checkpoint(tmp_path / "run")
    own = set(build_model(cfg).state_dict())
    assert set(content["model_state"]) == {name for name in own if not name.startswith("llama.")}
    assert not [name for name in content["average_state"] if name.startswith("llama.")]
    assert len(content["frozen_sha256"]) == 64
    assert content["frozen_source"].startswith(f"layer 1 of {llama} (Hugging Face names, ")
    assert f"held as {storage}" in content["frozen_source"]
    assert run_test(cfg, CPU) == 0
    assert train(config(VIT_LLAMA__DTYPE=storage, SOLVER__MAX_EPOCH=2), CPU) == 0  # resumed


def test_other_frozen_layers_are_refused(config, tmp_path):
    assert train(config(), CPU) == 0
    other = write_meta(tmp_path / "other", meta_state(seed=9))
    for changes in (
        {"VIT_LLAMA__PATH": str(other)},
        {"VIT_LLAMA__FIRST_LAYER": 2},
        {"VIT_LLAMA__DTYPE": "bf16"},
        {"VIT_LLAMA__LOAD_NORM": True},
    ):
        with pytest.raises(UserError, match=r"another SHA-256 than the \w+\.\.\. \(layer 1 of .*llama"):
            run_test(config(**changes), CPU)
    # the same weights in Meta's layout have other rows of queries and keys; those that were trained with are asked for
    with pytest.raises(UserError, match=r"VIT_LLAMA\.PATH is empty"):
        run_test(config(VIT_LLAMA__PATH=""), CPU)


def test_it_starts_from_a_video_vit_and_the_language_model(config, tmp_path):
    """As the recipes do: TRAIN.CHECKPOINT_FILE_PATH for the vision part, VIT_LLAMA.PATH for the frozen layers."""
    torch.manual_seed(7)
    vision = build_model(config(MODEL__MODEL_NAME="VideoViT"))
    torch.save(
        {"model": {f"encoder.{name}": tensor for name, tensor in vision.state_dict().items()}}, tmp_path / "mae.pth"
    )
    cfg = config(
        TRAIN__CHECKPOINT_FILE_PATH=str(tmp_path / "mae.pth"),
        TRAIN__CHECKPOINT_EPOCH_RESET=True,
        SOLVER__BASE_LR=1e-12,
        SOLVER__COSINE_END_LR=0.0,
        SOLVER__WARMUP_START_LR=0.0,
    )
    assert train(cfg, CPU) == 0
    content = checkpoint(tmp_path / "run")
    for name in ("blocks.0.mlp.fc1.weight", "patch_embed.proj.weight"):
        torch.testing.assert_close(content["model_state"][name], vision.state_dict()[name])
    assert "frozen_sha256" in content
    assert run_test(cfg, CPU) == 0


def test_random_layers_are_drawn_again(config, tmp_path):
    cfg = config(VIT_LLAMA__PATH="", VIT_LLAMA__RANDOM=True)
    assert train(cfg, CPU) == 0
    content = checkpoint(tmp_path / "run")
    assert content["frozen_source"] == "random numbers of RNG_SEED 1"
    assert not [name for name in content["model_state"] if name.startswith("llama.")]
    assert run_test(cfg, CPU) == 0
    with pytest.raises(UserError, match=r"another SHA-256 than .*random numbers of RNG_SEED 1"):
        run_test(config(VIT_LLAMA__PATH="", VIT_LLAMA__RANDOM=True, RNG_SEED=2), CPU)


def test_training_without_weights_is_refused(config):
    with pytest.raises(UserError, match=r"VIT_LLAMA\.PATH is empty: name a folder"):
        train(config(VIT_LLAMA__PATH=""), CPU)


@pytest.mark.parametrize("storage", ["bf16", "int8"])
def test_two_ranks(config, tmp_path, storage):
    cfg = config(VIT_LLAMA__DTYPE=storage, NUM_GPUS=0, LOG_PERIOD=1, LOG_MODEL_INFO=False)
    ranks = Ranks(train, cfg, 2, tmp_path)
    assert ranks.wait() == [0, 0], ranks.errors
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    alone = config(VIT_LLAMA__DTYPE=storage, LOG_PERIOD=1, OUTPUT_DIR=str(tmp_path / "alone"))
    assert train(alone, CPU) == 0
    expected = [json.loads(line) for line in (tmp_path / "alone/metrics.jsonl").read_text().splitlines()]
    for row, other in zip(rows, expected, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
