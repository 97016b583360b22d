"""From a configuration and what is asked for to the words of an sbatch call; all is checked before it is made."""

import hashlib
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from slowfast.config import derive, load_cfg
from slowfast.slurm import scheduler
from slowfast.slurm.scheduler import seconds_of
from slowfast.slurm.sweep import sweep_words
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write_text

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / "tools/slurm/train.sbatch"
RUN_NET = REPO / "tools/run_net.py"
SHORTEST_NOTICE_SEC = 10  # of the signal before the time limit
SLURM_EARLY_SEC = 30  # SLURM looks at limits every 30 s, and signals up to that much before it should


@dataclass(frozen=True)
class Request:
    """What a user asks for.

    Args:
        cfg: YAML file. opts: overrides (KEY, VALUE, ...).
        nodes: machines, NUM_SHARDS. gpus_per_node: NUM_GPUS; None: as configured; 0: CPUs, NUM_PROCS processes a node.
        time: in one of SLURM's ways to write it; "": the partition's. partition: "": the default one.
        array: sweep file; "": one run. cpus_per_task: 0: one, and one a loader worker, as far as the nodes have them.
        sbatch: further options of sbatch.
    """

    cfg: str
    opts: tuple = ()
    nodes: int = 1
    gpus_per_node: int | None = None
    time: str = ""
    partition: str = ""
    array: str = ""
    cpus_per_task: int = 0
    sbatch: tuple = ()


@dataclass(frozen=True)
class Submission:
    """A checked request.

    words: behind `sbatch`. files: path -> text, to be written before. folder: OUTPUT_DIR, of a sweep that of all runs.
    log: path, with %j or %A_%a for the job. summary: what the job will be, in words. runs: (words, cfg) of each run of
    a sweep. comment: tells jobs of the same folder.
    """

    words: list
    folder: Path
    log: str
    summary: str
    comment: str
    files: dict = field(default_factory=dict)
    runs: list = field(default_factory=list)

    def log_of(self, job):
        return self.log.replace("%j", str(job)).replace("%A_%a", f"{job}_N")


def plan(request, partitions=None):
    """The Submission for a Request.

    Args:
        partitions: dict name -> Partition that the request is checked against; None: it is not.
    Raises: ConfigError, UserError: the configuration or the sweep does not load, a partition does not exist or has
        less than is asked for, a time that SLURM does not know.
    """
    gpus = () if request.gpus_per_node is None else ("NUM_GPUS", str(request.gpus_per_node))
    opts = [*request.opts, *gpus]
    cfg = load_cfg(request.cfg, opts, num_shards=request.nodes)
    folder = Path(os.path.abspath(cfg.OUTPUT_DIR))
    shared = [*opts, "NUM_SHARDS", request.nodes]
    runs = sweep_words(request.array, request.cfg, shared, folder) if request.array else []
    tasks = derive.num_processes(cfg, cuda_available=True)
    chosen = _chosen_partitions(request.partition, partitions)
    for partition in chosen:
        _check_partition(partition, request, cfg.NUM_GPUS)
    command = [sys.executable, str(RUN_NET), "--cfg", request.cfg, "--num_shards", str(request.nodes), *opts]
    files, runs_words = _run_files(folder, [words for words, _ in runs])
    log = str(folder / "slurm" / ("%A_%a.out" if runs else "%j.out"))
    comment = f"slowfast {folder}"
    words = [
        f"--job-name={Path(request.cfg).stem}",
        *(f"--comment={comment}", f"--chdir={os.getcwd()}", f"--output={log}", "--open-mode=append", "--requeue"),
        *(f"--nodes={request.nodes}", f"--ntasks-per-node={tasks}"),
        f"--cpus-per-task={request.cpus_per_task or _cpus(cfg, tasks, chosen)}",
        f"--signal=B:USR1@{_notice_sec(request.time, cfg)}",
        *([f"--gres=gpu:{cfg.NUM_GPUS}"] if cfg.NUM_GPUS else []),
        *([f"--time={request.time}"] if request.time else []),
        *([f"--partition={request.partition}"] if request.partition else []),
        *([f"--array=0-{len(runs) - 1}"] if runs else []),
        *(*request.sbatch, str(SCRIPT), *runs_words, *command),
    ]
    return Submission(words, folder, log, _summary(request, cfg, tasks, len(runs)), comment, files, runs)


def submit(submission):
    """Write what the job needs and queue it; the job's number.

    Raises: UserError: another job of this user writes to the same folder, or sbatch refuses.
    """
    other = scheduler.job_with_comment(submission.comment)
    if other is not None:
        raise UserError(
            f"OUTPUT_DIR {submission.folder}: job {other} writes there already. Wait for it, `submit.py --cancel "
            f"{other}`, or choose another OUTPUT_DIR"
        )
    try:
        Path(submission.log).parent.mkdir(parents=True, exist_ok=True)
        for path, text in submission.files.items():
            atomic_write_text(path, text)
    except OSError as error:
        raise UserError(f"OUTPUT_DIR: cannot write to {submission.folder}: {error.strerror}; choose another") from None
    return scheduler.submit(submission.words)


def as_shell(words):
    """A command as it can be pasted into a shell."""
    return shlex.join(str(word) for word in words)


def _chosen_partitions(names, partitions):
    if partitions is None:
        return []
    chosen = [name for name in names.split(",") if name] or [p.name for p in partitions.values() if p.default]
    unknown = [name for name in chosen if name not in partitions]
    if unknown:
        raise UserError(f"--partition {unknown[0]}: this cluster has {', '.join(partitions) or 'none'}")
    return [partitions[name] for name in chosen]


def _check_partition(partition, request, gpus):
    if request.nodes > partition.nodes:
        text = f"--nodes {request.nodes}: partition {partition.name} has {partition.nodes}"
        raise UserError(f"{text}; ask for fewer, or for another --partition")
    if gpus > partition.gpus:
        text = f"--gpus_per_node {gpus}: partition {partition.name} has nodes with {partition.gpus} GPU(s)"
        raise UserError(f"{text}; ask for fewer, for another --partition, or for 0 to train on CPUs")
    seconds = _seconds(request.time)
    if seconds is not None and partition.most_seconds is not None and seconds > partition.most_seconds:
        text = f"--time {request.time}: partition {partition.name} allows {partition.most_seconds // 60} minutes"
        raise UserError(f"{text}; a job that is put back into the queue goes on, so shorter ones do as well")


def _seconds(time):
    """None where no limit is asked for."""
    if not time:
        return None
    try:
        return seconds_of(time)
    except ValueError:
        expected = "minutes, minutes:seconds, hours:minutes:seconds, days-hours or days-hours:minutes:seconds"
        raise UserError(f"--time {time}: expected {expected}") from None


def _notice_sec(time, cfg):
    """Seconds before the time limit at which the job is asked to leave."""
    most = cfg.DIST.PREEMPT_DEADLINE_SEC + 30
    seconds = _seconds(time)
    return most if seconds is None else max(SHORTEST_NOTICE_SEC, min(most, seconds // 4 - SLURM_EARLY_SEC))


def _cpus(cfg, tasks, partitions):
    wanted = cfg.DATA_LOADER.NUM_WORKERS + 1
    return max(1, min([wanted, *(partition.cpus // tasks for partition in partitions)]))


def _run_files(folder, runs):
    """(path -> text, words for train.sbatch): each run's words, in a folder that no later sweep changes."""
    if not runs:
        return {}, []
    texts = ["".join(f"{word}\n" for word in words) for words in runs]
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    place = folder / "slurm" / f"runs_{digest}"
    return {place / str(number): text for number, text in enumerate(texts)}, ["--runs", str(place)]


def _summary(request, cfg, tasks, runs):
    what = f"{tasks} GPU(s)" if cfg.NUM_GPUS else f"{tasks} CPU process(es)"
    text = f"{request.nodes} node(s) x {what}"
    if cfg.TRAIN.ENABLE:
        text += f", {derive.effective_batch(cfg)} clips a step"
    if request.time:
        text += f", time limit {request.time}"
    if runs:
        text = f"{runs} runs, each on {text}"
    if cfg.TRAIN.ENABLE and not cfg.TRAIN.AUTO_RESUME:
        text += ". TRAIN.AUTO_RESUME False: after a preemption the job would begin anew"
    return text
