"""What a run says of its recipe, and the recipe's parts at work: frozen parameters, the average of the weights."""

import json
import logging

import numpy as np
import pytest
import torch

from slowfast.config import get_cfg, load_cfg
from slowfast.engine.processes.launch import launch
from slowfast.engine.recipe import recipe_text, resolve_recipe
from slowfast.engine.test import test as run_test
from slowfast.engine.train import train
from slowfast.models import build_model
from slowfast.solver.course import Course
from slowfast.solver.optimizer import build_optimizer
from slowfast.utils.errors import UserError


def recipe_of(cfg, steps_per_epoch=10):
    model = build_model(cfg)
    optimizer = build_optimizer(model, cfg, 1.0)
    return resolve_recipe(cfg, model, optimizer, Course.from_cfg(cfg), lambda epoch: steps_per_epoch), model


def test_numbers(tiny_cfg):
    """Rates and counts by hand: 4 clips x 3 micro-steps against a rate for 6 clips, two layers, one frozen part."""
    recipe, model = recipe_of(
        tiny_cfg(
            SOLVER__BASE_LR=0.01,
            SOLVER__COSINE_END_LR=0.001,
            SOLVER__WARMUP_START_LR=0.0,
            SOLVER__WARMUP_ENDS_AT_PEAK=True,
            SOLVER__COSINE_AFTER_WARMUP=True,
            SOLVER__ACCUMULATE_STEPS=3,
            SOLVER__BASE_LR_BATCH_SIZE=6,
            SOLVER__LAYER_DECAY=0.5,
            MODEL__FREEZE="['base_model.pos_embed']",
        )
    )
    assert (recipe["effective_batch"], recipe["lr"]["scale"], recipe["lr"]["base"]) == (12, 2.0, 0.02)
    assert recipe["lr_at_step"] == pytest.approx(
        {0: 0.0, 4: 0.02, 5: 0.02, 10: 0.002 + 0.018 * 0.75, 19: 0.002 + 0.018 * (1 + np.cos(np.pi * 14 / 15)) / 2}
    )
    assert {group["lr"] for group in recipe["groups"]} == {0.0025, 0.005, 0.01, 0.02}
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert sum(group["parameters"] for group in recipe["groups"]) == trained
    frozen = {"base_model.pos_embed", "new_fc.weight", "new_fc.bias"}
    assert recipe["frozen"]["tensors"] == 3
    assert frozen.isdisjoint(name for group in recipe["groups"] for name in group["names"])


def test_differences_from_the_base(repo, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f"_BASE_: {repo}/configs/Toy/xvit_toy.yaml\nSOLVER: {{BASE_LR: 0.5}}\nOUTPUT_DIR: here\n")
    recipe, _ = recipe_of(load_cfg(path, ["SOLVER.MOMENTUM", "0.8"]))
    assert recipe["base"] == f"{repo}/configs/Toy/xvit_toy.yaml"
    assert recipe["changes"] == {
        "OUTPUT_DIR": ["outputs/xvit_toy", "here"],
        "SOLVER.BASE_LR": [0.001, 0.5],
        "SOLVER.MOMENTUM": [0.9, 0.8],
    }
    text = recipe_text(recipe)
    assert "SOLVER.BASE_LR: 0.001 -> 0.5" in text and "AdamW" in text
    assert json.loads(json.dumps(recipe))["groups"] == recipe["groups"]


def test_a_cfg_made_in_code_has_no_base():
    cfg = get_cfg()
    cfg.MODEL.MODEL_NAME = "VideoViT"
    cfg.DATA.TEST_CROP_SIZE = 224
    with torch.device("meta"):
        recipe, _ = recipe_of(cfg)
    assert recipe["base"] is None and recipe["changes"] == {}


def checkpoint(tmp_path):
    return torch.load(tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth", weights_only=True)


def test_frozen_parameters_stay_and_the_average_follows(tiny_cfg, tmp_path):
    options = {"SOLVER__EMA_DECAY": 0.8, "SOLVER__MAX_EPOCH": 1, "MODEL__FREEZE": "['base_model.blocks.0']"}
    cfg = tiny_cfg(**options)
    assert launch(train, cfg) == 0
    stored = checkpoint(tmp_path)
    names = {name for group in stored["optimizer_state"]["param_groups"] for name in group["names"]}
    assert names == set(stored["average_state"])
    assert not any(name.startswith("base_model.blocks.0") for name in names)
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    assert {name for group in recipe["groups"] for name in group["names"]} == names
    assert "recipe: AdamW" in (tmp_path / "run/stdout.log").read_text()

    def scores(**changes):
        assert launch(run_test, tiny_cfg(**options, TEST__SCORES="logits", **changes)) == 0
        return np.load(tmp_path / "run/predictions.npz")["scores"]

    averaged, own = scores(), scores(SOLVER__EMA_EVALUATE=False)
    assert not np.allclose(averaged, own)
    stored["model_state"].update(stored["average_state"])
    torch.save(stored["model_state"], tmp_path / "average.pyth")
    again = scores(SOLVER__EMA_EVALUATE=False, TEST__CHECKPOINT_FILE_PATH=tmp_path / "average.pyth")
    np.testing.assert_array_equal(averaged, again)


def test_no_average_to_test(tiny_cfg, tmp_path):
    assert launch(train, tiny_cfg(SOLVER__MAX_EPOCH=1)) == 0
    with pytest.raises(UserError, match=r"holds no moving average.*SOLVER.EMA_EVALUATE"):
        launch(run_test, tiny_cfg(SOLVER__EMA_DECAY=0.9))
    with pytest.raises(UserError, match=r"holds no moving average; set SOLVER.EMA_DECAY 0.0"):
        launch(train, tiny_cfg(SOLVER__EMA_DECAY=0.9, SOLVER__MAX_EPOCH=2))


def test_dry_run_prints_the_recipe(tiny_cfg, caplog, monkeypatch):
    from slowfast.engine.plan import dry_run

    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)
    with caplog.at_level(logging.INFO, logger="slowfast"):
        dry_run(tiny_cfg())
    assert "recipe: AdamW" in caplog.text and "XVIT.DEPTH: 3 -> 2" in caplog.text


def validation_loss(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return next(row["loss"] for row in rows if row["split"] == "val")


def test_the_average_starts_from_loaded_weights_and_is_validated(tiny_cfg, tmp_path):
    """An average that hardly moves is validated as the file it started from, whatever training did."""
    assert launch(train, tiny_cfg(SOLVER__MAX_EPOCH=1, SOLVER__BASE_LR=0.03, RNG_SEED=7)) == 0
    start = tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth"
    options = {"TRAIN__CHECKPOINT_FILE_PATH": start, "TRAIN__CHECKPOINT_EPOCH_RESET": True, "SOLVER__MAX_EPOCH": 1}
    still = options | {"SOLVER__EMA_DECAY": 1 - 1e-9, "SOLVER__BASE_LR": 0.03}
    assert launch(train, tiny_cfg(OUTPUT_DIR=tmp_path / "average", **still)) == 0
    assert launch(train, tiny_cfg(OUTPUT_DIR=tmp_path / "own", SOLVER__EMA_EVALUATE=False, **still)) == 0
    started_from = validation_loss(tmp_path / "run")
    assert validation_loss(tmp_path / "average") == pytest.approx(started_from, rel=1e-5)
    assert validation_loss(tmp_path / "own") != pytest.approx(started_from, rel=1e-3)
