"""Every model shared out over two processes: the gradients of the whole one, a part in each, little in the main one."""

import os
from functools import partial

import pytest
import torch
import torch.distributed as dist

from slowfast.engine.precision import DTYPES, Precision
from slowfast.engine.processes.old_torch import is_old
from slowfast.engine.processes.sharding import filled_copy, gather, is_sharded, shard
from slowfast.models import MODEL_REGISTRY, build_model
from slowfast.utils import distributed
from tests.distributed.ranks import Ranks
from tests.models.sizes import clip_for, small_cfg

CORE = [name for name, model in sorted(MODEL_REGISTRY) if model.__module__.startswith("slowfast.")]
VARIANTS = {name: (name, {}) for name in CORE} | {
    "in bfloat16": ("EVAVideo", {"TRAIN__PRECISION": "bf16"}),
    "in bfloat16, recomputed": ("XViT", {"TRAIN__PRECISION": "bf16", "MODEL__ACT_CHECKPOINT": True}),
    "int8 layers, in bfloat16": ("ViTLLaMA", {"VIT_LLAMA__DTYPE": "int8", "TRAIN__PRECISION": "bf16"}),
    "frozen": ("VideoViT", {"MODEL__FREEZE": ["blocks.0", "patch_embed", "blocks.1.norm2"]}),
}


def built(cfg, device):
    """The model with random values, where a zero at the start would hide what lies before it."""
    torch.manual_seed(0)
    with torch.device(device):
        model = build_model(cfg)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def check(cfg, device, tolerance=1e-3):
    """A job of two processes. tolerance: of gradients in bfloat16, a part of a tensor's largest one."""
    rank, world_size = distributed.rank(), distributed.world_size()
    precision = cfg.TRAIN.PRECISION or "fp32"
    whole = built(cfg, "cpu")
    part = shard(built(cfg, "cpu" if rank == 0 else "meta"), device, dtype=DTYPES[precision])
    assert is_sharded(part) and [*part.state_dict()] == [*whole.state_dict()]
    total = sum(parameter.numel() for parameter in whole.parameters())
    own = sum(parameter.to_local().numel() for parameter in part.parameters())
    assert own < 0.75 * total  # small tensors cannot be cut evenly
    clip = torch.randn(clip_for(cfg), generator=torch.Generator().manual_seed(rank))
    for model in (whole, part):
        torch.manual_seed(5)
        with Precision(precision, device).autocast():
            model(clip).float().square().mean().backward()
    exact = precision == "fp32"
    for (name, parameter), other in zip(whole.named_parameters(), part.parameters(), strict=True):
        assert other.requires_grad == parameter.requires_grad, name
        if parameter.grad is None:
            assert other.grad is None, name
            continue
        dist.all_reduce(parameter.grad)
        found, expected = gather(other.grad, device), parameter.grad / world_size
        atol = (1e-6 if exact else tolerance) * expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=atol, msg=partial("{}: {}".format, name))
    with torch.device("meta"):
        copy = filled_copy(build_model(cfg), part, device)
    assert torch.equal(copy.eval()(clip), whole.eval()(clip))  # what no state dict holds, too
    return os.EX_OK


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_of_the_whole_model(variant, tmp_path):
    name, options = VARIANTS[variant]
    if "int8" in variant and is_old():
        pytest.skip("this torch cannot share out integers")
    ranks = Ranks(check, small_cfg(name, OUTPUT_DIR=str(tmp_path), NUM_GPUS=0, **options), 2, tmp_path)
    assert ranks.wait() == [0, 0], ranks.errors
