#!/usr/bin/env python
"""What running safely costs: watching each step, saving in the background, coming back after a kill.

python benchmarks/running.py [--gigabytes 1] [--folder DIR]

Watching: what training does around each step of 100 ms (here: sleep), in one process and in two. Ending: from SIGKILL
of a spawned process until the run has ended. Saving: time that a save keeps training waiting, at once and in the
background, from the second save on, and what a resume takes to check and read it. Prints Markdown.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from slowfast.config import get_cfg
from slowfast.engine.guard import LossGuard, StepRecord
from slowfast.engine.metrics_log import MetricsLog
from slowfast.engine.processes import preemption, watchdog
from slowfast.engine.processes.agreement import Agreement
from slowfast.engine.processes.launch import launch
from slowfast.engine.saving.checkpoints import Checkpointer, find_damage, resume
from slowfast.engine.saving.state import TrainState
from slowfast.utils import distributed
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import JobError
from slowfast.utils.logging import setup_logging

STEP_SEC = 0.1
NOTE = "seconds.txt"  # in OUTPUT_DIR: what a job has measured


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="state that is saved (default: 1)")
    parser.add_argument("--steps", type=int, default=100, help="of 0.1 s each, whose median counts (default: 100)")
    parser.add_argument("--folder", help="where checkpoints are written (default: a temporary folder)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        print("| what | measured |\n|---|---|")
        for processes in (1, 2):
            extra = watching_sec(processes, args.steps, folder)
            print(
                f"| watchdog, signals, finite checks, log line each step, {processes} process(es) "
                f"| {1e3 * extra:.3f} ms, {extra / STEP_SEC:.2%} |"
            )
        ended = ending_sec(folder)
        print(f"| SIGKILL of one of two spawned processes until the run has ended | {ended:.2f} s |")
        setup_logging(quiet=True)
        at_once, resumed = saving_sec(args.gigabytes, folder, background=False)
        behind, _ = saving_sec(args.gigabytes, folder, background=True)
    print(f"| save of {args.gigabytes:g} GB, training waits | {at_once:.2f} s |")
    print(f"| the same in the background, from the second on | {behind:.2f} s, {behind / at_once:.0%} |")
    print(f"| checking and reading it back | {resumed:.2f} s |")
    print(f"| SIGKILL until training goes on, beyond starting Python and building all anew | {ended + resumed:.2f} s |")
    return 0


def cfg_for(folder, name):
    """Defaults for two CPU processes whose OUTPUT_DIR is folder/name."""
    cfg = get_cfg()
    cfg.OUTPUT_DIR, cfg.NUM_GPUS, cfg.NUM_PROCS = str(Path(folder) / name), 0, 2
    return cfg


def watching_sec(processes, steps, folder):
    """Median seconds that a training step takes beyond its computation."""
    cfg = cfg_for(folder, f"watching_{processes}")
    cfg.NUM_PROCS = processes
    assert launch(partial(watch, steps=steps), cfg) == 0
    return float((Path(cfg.OUTPUT_DIR) / NOTE).read_text())


def watch(cfg, device, steps):
    """A job: what training does around the steps of a network of 100 tensors, whose gradients' norms clipping gives."""
    loss, ids, norms = torch.tensor(1.5), torch.arange(8), torch.ones(100)
    names = [f"blocks.{i}.weight" for i in range(100)]
    guard, agreement = LossGuard(), Agreement(device)
    log, spent = MetricsLog(cfg.OUTPUT_DIR, enabled=distributed.is_main()), []
    with preemption.politely():
        for step in range(steps):
            time.sleep(STEP_SEC)  # the computation, during which the threads run
            start = time.perf_counter()
            watchdog.beat("loading", epoch=1, step=step)
            for phase in ("forward", "backward", "updating"):
                watchdog.beat(phase)
            guard.record(StepRecord(step, 0, 0.1, [loss], [ids], norms, names))
            agreement.exchange(nonfinite=guard.nonfinite(), stop=preemption.requested())
            log.write("train", step, {"loss": 1.5, "lr": 0.1, "grad_norm": 1.0})
            spent.append(time.perf_counter() - start)
    log.close()
    if distributed.is_main():
        (Path(cfg.OUTPUT_DIR) / NOTE).write_text(str(statistics.median(spent)))
    return 0


def ending_sec(folder):
    """Seconds from SIGKILL of a process until `launch` says so."""
    cfg = cfg_for(folder, "ending")
    try:
        launch(kill_rank_1, cfg)
    except JobError:
        return time.time() - float((Path(cfg.OUTPUT_DIR) / NOTE).read_text())
    raise AssertionError("the run went on without its second process")


def kill_rank_1(cfg, device):
    """A job whose second process dies while the first one waits for it."""
    if distributed.rank() == 1:
        (Path(cfg.OUTPUT_DIR) / NOTE).write_text(str(time.time()))
        os.kill(os.getpid(), signal.SIGKILL)
    dist.barrier()


def saving_sec(gigabytes, folder, *, background):
    """(median seconds that `save` takes from the second one on, seconds to check and read one back)."""
    cfg = cfg_for(folder, f"saving_{background}")
    cfg.CHECKPOINT.ASYNC, cfg.CHECKPOINT.KEEP_LAST = background, 1
    width = 1024
    layers = int(gigabytes * 1e9 / 3 / (4 * width * width))  # weights and two moments, four bytes each
    model = nn.Sequential(*[nn.Linear(width, width, bias=False) for _ in range(layers)])
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "names": list(map(str, range(layers)))}])
    state = TrainState(model, optimizer, torch.amp.GradScaler("cpu", enabled=False), effective_batch=8)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    checkpoints, spent = Checkpointer(cfg), []
    for _ in range(4):
        state.finish_step()
        start = time.perf_counter()
        checkpoints.save(state)
        spent.append(time.perf_counter() - start)
        checkpoints.finish()  # saves of a run lie further apart than one takes
    start = time.perf_counter()
    assert find_damage(checkpoints.last()) is None
    resume(state, checkpoints.last(), cfg)
    return statistics.median(spent[1:]), time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(run_command(main))
