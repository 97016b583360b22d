"""What only a CUDA device shows: precision policies, the fused optimizer, prefetch, peak memory, NCCL."""

import json

import pytest
import torch
import torch.distributed as dist

from slowfast.datasets.collate import ClipBatch
from slowfast.datasets.transforms.device import ClipInput, Mixing, RandomErasing
from slowfast.datasets.transforms.normalize import Normalize
from slowfast.engine.benchmark import benchmark
from slowfast.engine.feed import Feed
from slowfast.engine.processes.launch import launch
from slowfast.engine.test import test as test_job
from slowfast.engine.train import train
from slowfast.solver.losses import soft_targets
from slowfast.solver.optimizer import build_optimizer
from slowfast.utils import memory

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICE = torch.device("cuda", 0)


def last_train_line(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["split"] == "train"][-1]


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_trains_and_tests(tiny_cfg, tmp_path, precision):
    cfg = tiny_cfg(NUM_GPUS=1, TRAIN__PRECISION=precision)
    assert launch(train, cfg) == 0
    line = last_train_line(tmp_path / "run")
    assert line["loss"] < 4 and line["peak_memory_mib"] >= 1
    payload = torch.load(tmp_path / "run/checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)
    assert bool(payload["scaler_state"]) == (precision == "fp16")
    assert launch(test_job, cfg) == 0


def test_the_optimizer_is_fused(tiny_cfg):
    model = torch.nn.Linear(3, 2).to(DEVICE)
    assert build_optimizer(model, tiny_cfg(NUM_GPUS=1), 0.1).defaults["fused"]


def test_a_scaler_that_overflows_skips_the_step_and_goes_on(tiny_cfg, tmp_path):
    """The first fp16 steps at the scaler's initial scale of 2 ** 16 may overflow: weights stay finite."""
    assert launch(train, tiny_cfg(NUM_GPUS=1, TRAIN__PRECISION="fp16", SOLVER__BASE_LR=0.1)) == 0
    payload = torch.load(tmp_path / "run/checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)
    assert all(torch.isfinite(tensor).all() for tensor in payload["model_state"].values())


def test_prefetched_batches_are_the_loader_s(tiny_cfg):
    """A consumer that keeps the device busy never sees a batch that is still being copied or already overwritten."""
    generator = torch.Generator().manual_seed(0)
    frames = [torch.randint(0, 256, (4, 3, 8, 64, 64), dtype=torch.uint8, generator=generator) for _ in range(8)]
    labels = torch.arange(4)
    batches = [ClipBatch(clip, labels, labels, labels).pin_memory() for clip in frames]
    clip_input = ClipInput(Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]).to(DEVICE))
    busy = torch.rand(2048, 2048, device=DEVICE)
    for clip, (batch, normalized) in zip(frames, Feed(batches, DEVICE, clip_input)):
        for _ in range(5):
            busy = (busy @ busy).tanh()
        expected = (clip.float() / 255 - 0.5) / 0.5
        torch.testing.assert_close(normalized.cpu(), expected, rtol=0, atol=1e-5)
        assert batch.frames.is_cuda


def test_erasing_and_mixing_there_are_those_of_the_cpu():
    """The same boxes, partners and shares; noise is the device's own, zeros are not."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (8, 3, 4, 32, 32), dtype=torch.uint8, generator=generator)
    labels, normalize = torch.arange(8), Normalize([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    batch = ClipBatch(frames, labels, labels, torch.zeros(8, dtype=torch.int64), epoch=2)
    parts = (RandomErasing(0.5, "const"), Mixing(0.8, 1.0, smoothing=0.1))
    results = []
    for device in ("cpu", DEVICE):
        clip_input = ClipInput(normalize.to(device), *parts, soft_labels=lambda y, s: soft_targets(y, 8, s), seed=3)
        results.append(clip_input(batch.to(device)))
    for ours, theirs in ((results[0][1], results[1][1]), (results[0][0].labels, results[1][0].labels)):
        torch.testing.assert_close(theirs.cpu(), ours)


def test_peak_memory_is_the_allocator_s():
    memory.reset_peak(DEVICE)
    before = memory.peak_bytes(DEVICE)
    block = torch.empty(2**24, dtype=torch.uint8, device=DEVICE)
    del block
    assert 2**24 <= memory.peak_bytes(DEVICE) - before < 2**25


def test_the_benchmark_names_the_device(tiny_cfg, tmp_path):
    assert launch(benchmark, tiny_cfg(NUM_GPUS=1, BENCHMARK__NUM_ITERS=3)) == 0
    found = json.loads((tmp_path / "run/benchmark.json").read_text())
    assert found["device"] == torch.cuda.get_device_name(DEVICE)


def test_nccl_with_one_rank():
    """The wrapper that training uses with several GPUs, over NCCL: gradients are those of the bare model."""
    from slowfast.engine.processes.data_parallel import wrap_for_training

    store = dist.HashStore()
    dist.init_process_group("nccl", store=store, rank=0, world_size=1)
    try:
        torch.manual_seed(0)
        bare = torch.nn.Linear(5, 3).to(DEVICE)
        wrapped = torch.nn.parallel.DistributedDataParallel(bare, device_ids=[0], gradient_as_bucket_view=True)
        clip = torch.rand(4, 5, device=DEVICE)
        wrapped(clip).square().sum().backward()
        got = bare.weight.grad.clone()
        bare.zero_grad(set_to_none=True)
        bare(clip).square().sum().backward()
        torch.testing.assert_close(got, bare.weight.grad)
        assert wrap_for_training(bare, DEVICE) is bare  # one process needs no wrapper
    finally:
        dist.destroy_process_group()
