#!/usr/bin/env python
"""What running safely costs: watching each step, saving in the background, coming back after a kill.

python benchmarks/running.py [--gigabytes 1] [--folder DIR]

overhead: training steps that take 100 ms each (a network that sleeps), with everything that training does around them,
against the same steps as a bare loop. Saving: time that a save keeps training waiting, at once and in the background,
from the second save on. Prints Markdown.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.engine import preemption, watchdog
from slowfast.engine.agreement import Agreement
from slowfast.engine.checkpoints import Checkpointer, find_damage, resume
from slowfast.engine.guard import LossGuard, StepRecord
from slowfast.engine.metrics_log import MetricsLog
from slowfast.engine.state import TrainState
from slowfast.utils.command_line import run_command

STEP_SEC = 0.1
CPU = torch.device("cpu")


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="state that is saved (default: 1)")
    parser.add_argument("--folder", help="where checkpoints are written (default: a temporary folder)")
    parser.add_argument("--steps", type=int, default=50, help="steps of the overhead's measurement (default: 50)")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        extra = watching_sec(args.steps, folder)
        print("| what | measured |\n|---|---|")
        print(
            f"| watchdog, signals, finite checks, log line each step | {1e3 * extra:.3f} ms, {extra / STEP_SEC:.2%} |"
        )
        at_once, resumed = saving_sec(args.gigabytes, folder, background=False)
        behind, _ = saving_sec(args.gigabytes, folder, background=True)
    print(f"| save of {args.gigabytes:g} GB, training waits | {at_once:.2f} s |")
    print(f"| the same in the background, from the second on | {behind:.2f} s, {behind / at_once:.0%} |")
    print(f"| checking and reading it back | {resumed:.2f} s |")
    return 0


def watching_sec(steps, folder):
    """Seconds that a step of a 100-parameter-tensor network takes beyond its computation."""
    loss, ids, norms = torch.tensor(1.5), torch.arange(8), torch.ones(100)
    names = [f"blocks.{i}.weight" for i in range(100)]
    guard, agreement, log = LossGuard(), Agreement(CPU), MetricsLog(folder)
    spent = []
    with preemption.listening(folder, 60), preemption.politely(), watchdog.watching(600):
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
    return statistics.median(spent)


def saving_sec(gigabytes, folder, *, background):
    """(median seconds that `save` takes from the second one on, seconds to check and read one back)."""
    cfg = get_cfg()
    cfg.OUTPUT_DIR, cfg.CHECKPOINT.ASYNC, cfg.CHECKPOINT.KEEP_LAST = str(Path(folder) / str(background)), background, 1
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
