"""What two and four processes on CPUs really send and take, beside what is predicted of them.

Bytes are those that the loopback device counts, so nobody else may use it: run this in a network of its own.
"""

import gc
import os
import time
from multiprocessing import get_context
from pathlib import Path

import torch
import torch.distributed as dist

from benchmarks.memory import CPU, Labelled, small_run
from slowfast.engine.memory_plan import plan_memory, training_labels
from slowfast.engine.processes.data_parallel import wrap_for_training
from slowfast.engine.start import build_empty, share_out
from slowfast.engine.step import OptimizerStep
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.models.layers.block import wrapping_units
from slowfast.solver.optimizer import build_optimizer
from slowfast.tasks import build_task
from slowfast.utils.memory import peak_bytes, reset_peak, resident_bytes, return_freed

STEPS = 3  # timed, after one that is not
MODEL = {"MODEL.MODEL_NAME": "VideoViT", "VIDEO_VIT.EMBED_DIM": 512, "VIDEO_VIT.NUM_HEADS": 8, "VIDEO_VIT.DEPTH": 6}
MODEL |= {"DATA.NUM_FRAMES": 4, "DATA.TRAIN_CROP_SIZE": 64, "DATA.TEST_CROP_SIZE": 64}
CLIPS = 2  # of a process


def cases():
    return [("alone", 1, "ddp")] + [(f"{parallel}, {n}", n, parallel) for parallel in ("ddp", "fsdp") for n in (2, 4)]


def predicted_bytes(parallel, processes):
    """Bytes that all processes together send in a step. ddp on CPUs sends every process's gradients to all (see
    `mean_in_rank_order`); fsdp is as in `scaling_model.sent_bytes`, in float32, but for gloo's reduce-scatter, which
    sends as much as an all-reduce."""
    model = build_empty(_cfg(processes, parallel))
    parameters, trained = count_parameters(model)
    if parallel == "ddp":
        return processes * (processes - 1) * 4 * trained
    in_units = sum(count_parameters(unit)[0] for unit in wrapping_units(model))
    return (processes - 1) * 4 * (2 * in_units + (parameters - in_units) + 2 * trained)


def measure():
    """dict of case -> measured and predicted figures, sizes in bytes."""
    found = {}
    for name, processes, parallel in cases():
        with get_context("spawn").Pool(processes) as pool:
            store = f"/tmp/scaling_{os.getpid()}_{len(found)}"
            results = pool.starmap(_run, [(rank, processes, parallel, store) for rank in range(processes)], chunksize=1)
        Path(store).unlink(missing_ok=True)
        cfg = _cfg(processes, parallel)
        found[name] = {
            "processes": processes,
            "parallel": parallel,
            "sent": results[0]["sent"],
            "sent_predicted": predicted_bytes(parallel, processes) if processes > 1 else 0,
            "memory": max(result["memory"] for result in results),
            "memory_predicted": plan_memory(cfg, build_empty(cfg), CPU).peak,
            "seconds": sorted(result["seconds"] for result in results)[processes // 2],
        }
    return found


def _cfg(processes, parallel):
    keys = {"TRAIN.BATCH_SIZE": CLIPS * processes, "NUM_PROCS": processes, "TRAIN.PARALLEL": parallel}
    return small_run(MODEL | keys)


def _loopback_bytes():
    row = next(row for row in Path("/proc/net/dev").read_text().splitlines() if row.strip().startswith("lo:"))
    return int(row.split()[1])


def _run(rank, processes, parallel, store):
    """One process: figures of its steps."""
    torch.set_num_threads(1)
    return_freed()
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    if processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=processes)
    _steps(small_run(MODEL | {"VIDEO_VIT.EMBED_DIM": 32, "VIDEO_VIT.DEPTH": 1}), parallel, processes, 2)
    gc.collect()
    before = resident_bytes(os.getpid())
    reset_peak(CPU)
    result = _steps(_cfg(processes, parallel), parallel, processes, 1 + STEPS)
    result["memory"] = peak_bytes(CPU) - before
    if processes > 1:
        dist.destroy_process_group()
    return result


def _steps(cfg, parallel, processes, number):
    """Seconds and loopback bytes of a step, the first one left out."""
    task = build_task(cfg)
    if parallel == "fsdp":
        model = share_out(build_model(cfg) if dist.get_rank() == 0 else build_empty(cfg), cfg, CPU)
    else:
        model = build_model(cfg)
    step = OptimizerStep.from_cfg(cfg, model, build_optimizer(model, cfg, 1e-4), task, CPU)
    step.model = model if parallel == "fsdp" else wrap_for_training(model, CPU)
    size = cfg.DATA.TRAIN_CROP_SIZE
    labels = training_labels(cfg, task, (CLIPS, cfg.DATA.NUM_FRAMES, size))
    frames = torch.zeros(CLIPS, 3, cfg.DATA.NUM_FRAMES, size, size)
    for index in range(number):
        if index == 1:
            _wait(processes)
            start, sent = time.perf_counter(), _loopback_bytes()
        step([(Labelled(labels), frames)], lr=1e-4, step=index, epoch=0)
    _wait(processes)
    steps = number - 1
    return {"seconds": (time.perf_counter() - start) / steps, "sent": (_loopback_bytes() - sent) / steps}


def _wait(processes):
    if processes > 1:
        dist.barrier()
