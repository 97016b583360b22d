"""bfloat16 training: what computes is bfloat16, what is kept and what processes exchange is float32."""

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

from slowfast.engine.precision import Precision
from slowfast.models import build_model
from tests.models.sizes import clip_for, small_cfg

CPU = torch.device("cpu")


@pytest.fixture
def group(tmp_path):
    """A process group of one."""
    dist.init_process_group("gloo", store=dist.FileStore(str(tmp_path / "store"), 1), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model(small_cfg("EVAVideo"))


def backward(model, cfg):
    torch.manual_seed(1)
    with Precision("bf16", CPU).autocast():
        logits = model(torch.randn(clip_for(cfg)))
        F.cross_entropy(logits.float(), torch.tensor([1, 2])).backward()
    return logits


def test_weights_gradients_and_optimizer_state_are_float32(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    logits = backward(model, small_cfg("EVAVideo"))
    optimizer.step()
    assert logits.dtype == torch.bfloat16
    kept = [*model.parameters(), *(parameter.grad for parameter in model.parameters())]
    kept += [value for state in optimizer.state.values() for value in state.values()]
    assert {tensor.dtype for tensor in kept} == {torch.float32}
    moved = [not torch.equal(a, b) for a, b in zip(before, model.parameters())]
    assert all(moved)
    same = [(a.bfloat16() == b.bfloat16()).flatten() for a, b in zip(before, model.parameters()) if a.ndim > 1]
    assert torch.cat(same).float().mean() > 0.5  # steps as small as this one would be rounded away in bfloat16


def test_processes_exchange_float32(model, group):
    seen = []

    def hook(_, bucket):
        seen.append(bucket.buffer().dtype)
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    wrapped = DistributedDataParallel(model)
    wrapped.register_comm_hook(None, hook)
    backward(wrapped, small_cfg("EVAVideo"))
    assert seen and set(seen) == {torch.float32}
