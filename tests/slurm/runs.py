"""Runs that are submitted with tools/slurm/submit.py, as a user does, and what they leave."""

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from slowfast.slurm.scheduler import OVER
from tests.conftest import REPO, tiny_options_of

EPOCHS = 12
STEPS = 4 * EPOCHS  # of 8 clips
BEGIN_SEC, END_SEC = 180, 300  # a job's first steps, its end: far more than they take, as a machine may be busy
CONFIG = "configs/Toy/xvit_toy.yaml"


@dataclass
class Run:
    """A submitted run. folder: OUTPUT_DIR."""

    lab: object
    job: str
    folder: Path
    printed: str

    def field(self, name):
        """What the controller says of the job, e.g. "JobState"."""
        answer = self.lab.ask("scontrol", "--oneliner", "show", "job", self.job)
        return re.search(rf"(?:^| ){name}=(\S*)", answer)[1]

    def over(self):
        return self.field("JobState") in OVER

    def wait(self, seconds=END_SEC):
        """Until the job is over; its state."""
        wait_for(self.over, seconds, self.log)
        return self.field("JobState")

    def log(self):
        path = self.folder / "slurm" / f"{self.job}.out"
        return path.read_text() if path.exists() else ""

    def rows(self, split="train"):
        path = self.folder / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        return [row for row in rows if row["split"] == split]

    def steps(self):
        return len(self.rows())

    def final_state(self):
        """Content of the last checkpoint without the configuration, which names the folder."""
        folder = self.folder / "checkpoints"
        content = torch.load(folder / (folder / "last").read_text().strip(), weights_only=True)
        content.pop("cfg")
        return content

    def starts(self):
        """Numbers of restarts that the job's log tells of, in their order."""
        return [int(number) for number in re.findall(r": start (\d+) on ", self.log())]


class Runs:
    """Submits tiny runs of two nodes with one CPU process each, 48 steps long, and remembers them."""

    def __init__(self, lab, small_set, folder):
        self.lab = lab
        self.folder = folder
        self.options = tiny_options_of(small_set) | {
            "PROJECTS": "['tests.slurm.slow_model']",
            "MODEL.MODEL_NAME": "SlowXViT",
            "MODEL.DROPOUT_RATE": 0.3,
            "XVIT.BACKBONE.DROP_PATH_RATE": 0.3,
            "SOLVER.MAX_EPOCH": EPOCHS,
            "TRAIN.EVAL_PERIOD": EPOCHS // 2,
            "TRAIN.CHECKPOINT_PERIOD_ITERS": 5,
            "LOG_PERIOD": 1,
            "DIST.TIMEOUT_SEC": 60,
        }

    def words(self, name, **changes):
        """KEY VALUE ... of a run in the folder `name`; changes with "__" for "."."""
        options = self.options | {key.replace("__", "."): value for key, value in changes.items()}
        return [str(word) for pair in (options | {"OUTPUT_DIR": self.folder / name}).items() for word in pair]

    def tool(self, *words):
        """tools/slurm/submit.py, finished."""
        command = [sys.executable, "tools/slurm/submit.py", *map(str, words)]
        return subprocess.run(command, cwd=REPO, env=self.environment(), capture_output=True, text=True, timeout=120)

    def environment(self):
        return os.environ | self.lab.environment | {"PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}

    def submit(self, name, *words, nodes=2, **changes):
        """The Run of one submission; `words`: further options of submit.py."""
        shape = ("--cfg", CONFIG, "--nodes", nodes, "--gpus_per_node", 0)
        done = self.tool(*shape, *words, *self.words(name, **changes))
        assert done.returncode == 0, done.stderr
        job = re.match(r"job (\d+) submitted", done.stdout)[1]
        return Run(self.lab, job, self.folder / name, done.stdout)


def wait_for(condition, seconds, told=lambda: ""):
    """Args: told: what to show when it takes too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.1)
