"""The benchmark job: loader, model and whole training step, each timed alone, and what bounds the run."""

import json
from itertools import count, islice
from pathlib import Path

import torch

from slowfast.config import derive
from slowfast.datasets.build import construct_loader
from slowfast.engine.feed import Feed
from slowfast.engine.plan import describe
from slowfast.engine.precision import Precision
from slowfast.engine.processes.data_parallel import wrap_for_training
from slowfast.engine.speed.loader_stages import time_stages
from slowfast.engine.speed.timing import Measurement, format_table, measure, smooth, verdict
from slowfast.engine.start import share_out, shares_out
from slowfast.engine.step import OptimizerStep
from slowfast.models import build_model
from slowfast.solver.optimizer import build_optimizer
from slowfast.tasks import build_task
from slowfast.utils import distributed, memory
from slowfast.utils.errors import EXIT_DONE
from slowfast.utils.io import atomic_write_text
from slowfast.utils.logging import get_logger
from slowfast.utils.provenance import code_version, versions
from slowfast.utils.rng import seed_torch


def benchmark(cfg, device):
    """Time the train split's loader, the model and whole steps; write OUTPUT_DIR/benchmark.json.

    Trains a fresh model for a few steps and forgets it; no checkpoint is read or written.

    Args:
        cfg: frozen configuration; BENCHMARK.NUM_WARMUP iterations do not count, BENCHMARK.NUM_ITERS do.
        device: this process's torch.device.
    Returns:
        exit code 0.
    """
    bench = Benchmark(cfg, device)
    if distributed.is_main():
        get_logger().info(describe(cfg, bench.model, {"train": bench.loader}))
    rows = {row.name: row for row in bench.stages() + bench.loading() + bench.computing() + bench.stepping()}
    if distributed.is_main():
        sentence = bench.verdict(rows)
        _write(cfg, device, rows, sentence)
        get_logger().info(f"benchmark of one process\n{format_table(rows.values())}\n\n{sentence}")
    return EXIT_DONE


class Benchmark:
    """The parts of a training run, and a method to time each; every method gives a list of Measurement."""

    def __init__(self, cfg, device):
        self.cfg = cfg
        self.device = device
        self.loader = construct_loader(cfg, "train", rank=distributed.rank(), world_size=distributed.world_size())
        self.task = build_task(cfg)
        seed_torch(cfg.RNG_SEED, "initialise")
        self.model = build_model(cfg).to(device)

    def stages(self):
        """What a loader's worker does, here in one process: clip by clip, then batches of them."""
        bench = self.cfg.BENCHMARK
        return time_stages(self.loader, self.device, warmup=bench.NUM_WARMUP, iters=bench.NUM_ITERS)

    def loading(self):
        """Batches as they come out of the loader while nothing else runs."""
        batches = self._endless()
        samples = self._measure(lambda: next(batches))
        batches.close()
        size = self._batch_clips()
        return [Measurement("loader", size, smooth(samples, self.cfg.DATA_LOADER.NUM_WORKERS))]

    def computing(self):
        """Forward in evaluation; forward and backward in training: one batch on the device, again and again."""
        precision = Precision(derive.precision(self.cfg), self.device)
        batches = self._endless()
        batch, frames = next(iter(Feed.from_cfg(self.cfg, batches, self.device, train_task=self.task)))
        batches.close()

        @torch.inference_mode()
        def forward():
            with precision.autocast():
                self.task.predict(self.model, frames)

        def forward_backward():
            with precision.autocast():
                loss, _ = self.task.loss(self.model, frames, batch.labels)
            precision.scaler.scale(loss).backward()
            self.model.zero_grad(set_to_none=True)

        rows = []
        for name, run in (("model: forward", forward), ("model: forward + backward", forward_backward)):
            self.model.train(run is forward_backward)
            memory.reset_peak(self.device)
            samples = self._measure(run)
            rows.append(Measurement(name, len(batch.labels), samples, memory.peak_bytes(self.device)))
        return rows

    def stepping(self):
        """Optimizer steps as training does them: loader, transfer, accumulation, clipping, update."""
        cfg = self.cfg
        lr = derive.scaled_lr(cfg)[1]  # warm-up's start
        shared = shares_out(cfg)
        model = (share_out(self.model.cpu(), cfg, self.device) if shared else self.model).train()
        step = OptimizerStep.from_cfg(cfg, model, build_optimizer(model, cfg, lr), self.task, self.device)
        step.model = model if shared else wrap_for_training(model, self.device)
        endless = self._endless()
        batches, numbers = iter(Feed.from_cfg(cfg, endless, self.device, train_task=self.task)), count()

        def run():
            micro_batches = list(islice(batches, cfg.SOLVER.ACCUMULATE_STEPS))
            step(micro_batches, lr=lr, step=next(numbers), epoch=0)

        memory.reset_peak(self.device)
        samples = self._measure(run)
        endless.close()
        clips = self._batch_clips() * cfg.SOLVER.ACCUMULATE_STEPS
        samples = smooth(samples, cfg.DATA_LOADER.NUM_WORKERS)
        return [Measurement("whole step", clips, samples, memory.peak_bytes(self.device))]

    def verdict(self, rows):
        """What the rates say. Args: rows: dict name -> Measurement."""
        return verdict(
            rows["loader"].clips_per_s,
            rows["model: forward + backward"].clips_per_s,
            num_workers=self.cfg.DATA_LOADER.NUM_WORKERS,
            cpu_count=distributed.available_cores(),
            num_processes=derive.num_processes(self.cfg, torch.cuda.is_available()),
            device=self.device.type,
            precision=derive.precision(self.cfg),
            step_clips_per_s=rows["whole step"].clips_per_s,
        )

    def _batch_clips(self):
        """Clips of a batch: AUG.NUM_SAMPLE of each of its videos."""
        return self.loader.batch_sampler.batch_size * self.loader.dataset.num_samples

    def _measure(self, run):
        synchronize = torch.cuda.synchronize if self.device.type == "cuda" else lambda: None
        bench = self.cfg.BENCHMARK
        return measure(run, warmup=bench.NUM_WARMUP, iters=bench.NUM_ITERS, synchronize=synchronize)

    def _endless(self):
        """Batches of one epoch after the other."""
        for epoch in count():
            self.loader.batch_sampler.set_position(epoch, 0)
            yield from self.loader


def _write(cfg, device, rows, sentence):
    result = {
        "verdict": sentence,
        "measurements": [row.to_dict() for row in rows.values()],
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": derive.precision(cfg),
        "cpu_count": distributed.available_cores(),
        "torch_threads": torch.get_num_threads(),
        "num_workers": cfg.DATA_LOADER.NUM_WORKERS,
        "world_size": distributed.world_size(),
        "code": code_version(),
        "versions": versions(),
        "config": cfg.dump(),
    }
    atomic_write_text(Path(cfg.OUTPUT_DIR) / "benchmark.json", json.dumps(result, indent=2) + "\n")
