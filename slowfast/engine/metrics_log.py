"""What a run tells while it goes on: progress on the terminal, metrics.jsonl and TensorBoard."""

import contextlib
import json
import math
import sys
import time
from datetime import timedelta
from pathlib import Path

from tqdm import tqdm

from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text
from slowfast.utils.logging import get_logger


class MetricsLog:
    """Appends one JSON line a report to OUTPUT_DIR/metrics.jsonl and the same numbers to TensorBoard.

    Only the main process has one that writes; `enabled=False` makes every call do nothing.

    Args:
        output_dir: the run's folder.
        step: optimizer steps already done; lines of a killed run beyond it are dropped, so that no step stands twice.
        in_epoch: the run goes on inside an epoch, so that lines about its end are dropped, too.
        tensorboard_dir: folder of TensorBoard's files; None: no TensorBoard.
        goes_on: a line that a full disk does not take is told of once and left out; else the run stops.
    """

    def __init__(self, output_dir, *, step=0, in_epoch=False, tensorboard_dir=None, goes_on=False, enabled=True):
        self.file = self.writer = None
        if not enabled:
            return
        self.path = Path(output_dir) / "metrics.jsonl"
        self.goes_on, self.complained = goes_on, False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _drop_lines_after(self.path, step, in_epoch)
        self.file = open(self.path, "a")
        if tensorboard_dir is not None:
            from torch.utils.tensorboard import SummaryWriter  # seconds to import: only where it is used

            self.writer = SummaryWriter(tensorboard_dir, purge_step=step + 1)

    @classmethod
    def from_cfg(cls, cfg, state, *, enabled):
        """Args: state: TrainState from which the run goes on."""
        folder = cfg.TENSORBOARD.LOG_DIR or str(Path(cfg.OUTPUT_DIR) / "tensorboard")
        return cls(
            cfg.OUTPUT_DIR,
            step=state.step,
            in_epoch=state.step_in_epoch > 0,
            tensorboard_dir=folder if cfg.TENSORBOARD.ENABLE else None,
            goes_on=cfg.CHECKPOINT.ON_SAVE_ERROR == "warn",
            enabled=enabled,
        )

    def write(self, split, step, values):
        """Args: split "train", "train_epoch" or "val"; step: optimizer steps done; values: name -> number or text.

        Raises: UserError naming the file that cannot be written, unless `goes_on`.
        """
        if self.file is None:
            return
        values = {name: _finite(value) for name, value in values.items()}
        try:
            self.file.write(json.dumps({"split": split, "step": step, **values}) + "\n")
            self.file.flush()
            if self.writer is not None:
                for name, value in values.items():
                    if isinstance(value, (int, float)):
                        self.writer.add_scalar(f"{split}/{name}", value, step)
        except OSError as error:
            self._complain(error)

    def _complain(self, error):
        text = f"cannot write {error.filename or self.path}: {error.strerror or error}"
        if not self.goes_on:
            raise UserError(f"{text}. Free space or change OUTPUT_DIR") from None
        if not self.complained:
            get_logger().error(f"{text}. Going on without (CHECKPOINT.ON_SAVE_ERROR warn)")
        self.complained = True

    def close(self):
        for file in (self.file, self.writer):
            if file is not None:
                with contextlib.suppress(OSError):  # what could not be written was told of
                    file.close()


def _finite(value):
    """JSON has no NaN: null stands for it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _drop_lines_after(path, step, in_epoch):
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _stands(line, step, in_epoch)]
    if len(kept) < len(lines):
        atomic_write_text(path, "".join(kept))


def _stands(line, step, in_epoch):
    """Whether a line is whole and tells of something that the run will not do again."""
    try:
        line = json.loads(line)
    except ValueError:  # a power cut or a full disk tore it
        return False
    return line["step"] < step or (line["step"] == step and (line["split"] == "train" or not in_epoch))


class Progress:
    """A bar with ETA on a terminal; elsewhere the caller's report lines are the progress.

    Args:
        total: units of work (steps, batches).
        title: what is going on, e.g. "epoch 3/20".
        done: units that an earlier run finished.
        enabled: False in processes other than the main one.
    """

    def __init__(self, total, title, *, done=0, enabled=True):
        self.enabled = enabled
        self.title = title
        self.terminal = enabled and sys.stderr.isatty()
        self.bar = tqdm(
            total=total,
            desc=title,
            initial=done,
            disable=not self.terminal,
            dynamic_ncols=True,
            leave=False,
            bar_format="{desc} {bar} {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}",
        )

    def advance(self):
        self.bar.update()

    def report(self, text):
        """Show the latest numbers: beside the bar on a terminal, as a line of their own elsewhere."""
        if self.terminal:
            self.bar.set_postfix_str(text)
        elif self.enabled:
            get_logger().info(f"{self.title} {text}")

    def close(self):
        self.bar.close()


class Throughput:
    """Clips/s and the share of time spent waiting for data, over a window of steps; and the time the rest will take.

    Call `waited(seconds)` for each wait, `step(clips)` after each optimizer step, `window()` to read and restart.
    """

    def __init__(self):
        self.start = time.perf_counter()
        self.wait_seconds = 0.0
        self.clips = 0
        self.work = 0.0

    def waited(self, seconds):
        self.wait_seconds += seconds

    def step(self, clips, work=1.0):
        """Args: work: of the step, in any unit."""
        self.clips += clips
        self.work += work

    def window(self):
        """dict of "clips_per_s" (this process), "data_wait" (0..1), "work_s" (seconds a unit); restarts the window."""
        now = time.perf_counter()
        seconds = max(now - self.start, 1e-9)
        values = {
            "clips_per_s": self.clips / seconds,
            "data_wait": self.wait_seconds / seconds,
            "work_s": seconds / max(self.work, 1e-9),
        }
        self.start, self.wait_seconds, self.clips, self.work = now, 0.0, 0, 0.0
        return values


def format_seconds(seconds):
    """h:mm:ss"""
    return str(timedelta(seconds=round(seconds)))
