"""MODEL.TRAINABLE and MODEL.FREEZE: which parameters train, and that the others cost nothing."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.config import get_cfg
from slowfast.models import build_model
from slowfast.models.trainable import select_trainable
from slowfast.solver.optimizer import build_optimizer
from slowfast.utils.errors import ConfigError


def make():
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(4, 5))


def trained(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize(
    "trainable, freeze, expected",
    [
        ([], [], {f"{n}.{kind}" for n in range(3) for kind in ("weight", "bias")}),
        ([], ["0", "*.bias"], {"1.weight", "2.weight"}),
        (["2", "*.bias"], [], {"0.bias", "1.bias", "2.bias", "2.weight"}),
        (["2", "1"], ["2.weight"], {"1.weight", "1.bias", "2.bias"}),
    ],
)
def test_selection(trainable, freeze, expected):
    model = make()
    select_trainable(model, trainable=trainable, freeze=freeze)
    assert trained(model) == expected


def test_what_the_model_froze_stays_frozen():
    model = make()
    model[0].requires_grad_(False)
    select_trainable(model, trainable=["0", "1"])
    assert trained(model) == {"1.weight", "1.bias"}


@pytest.mark.parametrize("key", ["trainable", "freeze"])
def test_a_pattern_must_match(key):
    with pytest.raises(ConfigError, match=f"MODEL.{key.upper()}: 'head' matches no parameter"):
        select_trainable(make(), **{key: ["0", "head"]})


@pytest.fixture
def alone_in_a_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_frozen_parameters_cost_nothing(alone_in_a_group):
    """No gradient, no optimizer state, no place in a bucket of DistributedDataParallel."""
    cfg = get_cfg()
    cfg.SOLVER.OPTIMIZING_METHOD = "adamw"
    model = make()
    select_trainable(model, freeze=["0", "2.bias"])
    optimizer = build_optimizer(model, cfg, 0.1)
    wrapped = DistributedDataParallel(model)
    wrapped(torch.ones(6, 2)).sum().backward()
    optimizer.step()
    kept = {"1.weight", "1.bias", "2.weight"}
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == kept
    assert {name for group in optimizer.param_groups for name in group["names"]} == kept
    assert len(optimizer.state) == 3
    assert wrapped._get_ddp_logging_data()["num_parameter_tensors"] == 3


def test_keys_reach_the_model():
    cfg = get_cfg()
    cfg.MODEL.MODEL_NAME, cfg.XVIT.BASE_MODEL = "XViT", "vit_base_patch16_224"
    cfg.MODEL.TRAINABLE, cfg.MODEL.FREEZE = ["consensus", "base_model.norm"], ["*.bias"]
    with torch.device("meta"):
        names = trained(build_model(cfg))
    assert "base_model.norm.weight" in names and "consensus.mlp_head.4.weight" in names
    assert all(name.startswith(("consensus.", "base_model.norm.")) and not name.endswith(".bias") for name in names)
