"""Start a job in as many processes as are asked for, or take part in it as one of them, and end it as a whole."""

import errno
import os
import traceback
from dataclasses import replace
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from slowfast.config import import_projects
from slowfast.config.derive import num_processes
from slowfast.engine.processes import failures, preemption, watchdog
from slowfast.engine.processes.meeting import agree_on_name
from slowfast.engine.processes.places import Place, given_place
from slowfast.engine.processes.shares import share_out
from slowfast.engine.processes.spawning import run_spawned
from slowfast.utils import distributed, memory
from slowfast.utils.errors import EXIT_PREEMPTED, ConfigError, JobError, UserError
from slowfast.utils.logging import get_logger, setup_logging

LOCALHOST = "127.0.0.1"
GRACE_SEC = 3.0  # what the other processes get, at most, to say and do after one has failed
STORAGE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # full disk, quota, file too large, read-only


def launch(job, cfg, init_method=None):
    """Run job(cfg, device) in every process of the run.

    The processes are those that torchrun or srun started; else one, here; else several, spawned: NUM_GPUS of them with
    NCCL, or NUM_PROCS with gloo on a machine without CUDA.

    Args:
        job: importable function (cfg, torch.device) -> exit code; the first process's code counts.
        cfg: frozen configuration.
        init_method: URL where machines meet, for NUM_SHARDS > 1 without torchrun or srun; the same on each.
    Returns:
        the job's exit code; 75 (EXIT_PREEMPTED) where SIGUSR1 or SIGTERM ended it.
    Raises:
        UserError: raised by the job in any process, or there are fewer GPUs than needed.
        JobError: a process crashed, died or stalled; the text holds its traceback or what is known of it.
    """
    place = given_place(os.environ)
    main = cfg.SHARD_ID == 0 if place is None else place.rank == 0
    setup_logging(cfg.OUTPUT_DIR if main else None, quiet=place is not None and not main)
    if main:
        preemption.remove_marker(cfg.OUTPUT_DIR)
    if place is not None:
        return _take_given_place(job, cfg, place)
    local_size = _local_size(cfg)
    place = Place(cfg.SHARD_ID * local_size, local_size * cfg.NUM_SHARDS, 0, local_size, init_method)
    if place.world_size == 1:
        return take_part(job, cfg, place)
    store = None
    if cfg.NUM_SHARDS == 1:  # our own store, on a port that is free for certain, in a process that does no work
        store = dist.TCPStore(LOCALHOST, 0, place.world_size, is_master=True, wait_for_workers=False)
        place = replace(place, url=f"{LOCALHOST}:{store.port}")
    places = [replace(place, rank=place.rank + i, local_rank=i) for i in range(local_size)]
    code = run_spawned(
        _spawned,
        [(job, cfg, each) for each in places],
        deadline_sec=cfg.DIST.PREEMPT_DEADLINE_SEC,
        grace_sec=min(GRACE_SEC, cfg.DIST.TIMEOUT_SEC / 10),
    )
    if code == EXIT_PREEMPTED:
        preemption.ensure_marker(cfg.OUTPUT_DIR)  # the processes may have been too stuck to leave one
    return code


def _local_size(cfg):
    available = torch.cuda.device_count()
    if cfg.NUM_GPUS > 0 and available == 0:
        get_logger().warning(f"NUM_GPUS {cfg.NUM_GPUS}: no CUDA here, going on with {cfg.NUM_PROCS} CPU process(es)")
    elif cfg.NUM_GPUS > available:
        raise ConfigError(f"NUM_GPUS: {cfg.NUM_GPUS} asked for, {available} present; set NUM_GPUS {available} or less")
    return num_processes(cfg, available > 0)


def _take_given_place(job, cfg, place):
    """As one of the processes of torchrun or srun, however many there are now."""
    if cfg.TRAIN.ENABLE and not cfg.TRAIN.AUTO_BATCH:
        planned, cfg = cfg, share_out(cfg, place.world_size, cuda=torch.cuda.device_count() > 0)
        if cfg is not planned and place.rank == 0:
            get_logger().info(
                f"{place.world_size} processes instead of those planned: TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE} x "
                f"SOLVER.ACCUMULATE_STEPS {cfg.SOLVER.ACCUMULATE_STEPS}; effective batch and learning rate stay"
            )
    if place.rank == 0:
        clips = cfg.TRAIN.BATCH_SIZE * cfg.NUM_SHARDS
        get_logger().info(f"{place.world_size} processes of {place.starter}, {clips} clips a micro-step over all")
    try:
        return take_part(job, cfg, place)
    except Exception as error:
        if isinstance(error, UserError | JobError):
            raise
        text = f"process {place.rank} of {place.world_size} failed:\n{traceback.format_exc()}"
        raise JobError(text) from None


def _spawned(job, cfg, place, parent):
    """One spawned process; see `run_spawned` for `parent`."""
    import_projects(cfg)
    setup_logging(cfg.OUTPUT_DIR if place.rank == 0 else None, quiet=place.rank != 0)
    return take_part(job, cfg, place, parent)


def take_part(job, cfg, place, parent=None):
    """Meet the other processes, run the job under watch, and leave the group.

    Args:
        place: of this process.
        parent: `spawning.ToParent` of a spawned process.
    Returns: the job's exit code.
    Raises: what the job raises; JobError where another process's failure is behind it.
    """
    device = _device(cfg, place)
    torch.set_num_threads(cfg.NUM_THREADS or max(1, distributed.available_cores() // place.local_size))
    if device.type == "cpu":
        memory.return_freed()
    report = _print_report if parent is None else parent.failed
    launcher = os.getppid() if place.starter == "torchrun" else None  # srun ends its processes, spawned ones hear of it
    watched = partial(watchdog.watching, cfg.DIST.TIMEOUT_SEC, report=report, launcher=launcher)
    with preemption.listening(cfg.OUTPUT_DIR, cfg.DIST.PREEMPT_DEADLINE_SEC, parent and parent.connection):
        if place.world_size == 1:
            with watched():
                return _run_job(job, cfg, device)
        store = dist.PrefixStore("watchdog", _meet(cfg, device, place))
        with watched(rank=place.rank, world_size=place.world_size, store=store):
            try:
                code = _run_job(job, cfg, device)
                dist.barrier()
                dist.destroy_process_group()
                return code
            except Exception as error:
                raise _tell_others(error, place, store) from None


def _run_job(job, cfg, device):
    """job(cfg, device); a disk that takes nothing more is the user's to mend, whichever file it shows with."""
    try:
        return job(cfg, device)
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        raise UserError(
            f"cannot write {error.filename or cfg.OUTPUT_DIR}: {error.strerror}. Free space or change OUTPUT_DIR"
        ) from None


def _device(cfg, place):
    if cfg.NUM_GPUS == 0 or not torch.cuda.is_available():
        return torch.device("cpu")
    present = torch.cuda.device_count()
    if place.local_rank >= present > 1:
        raise ConfigError(f"{place.local_size} processes on a machine with {present} GPUs; start one process a GPU")
    index = place.local_rank if present > 1 else 0  # SLURM may show each task its own GPU alone
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


_joined = {}  # url -> [store, jobs so far]: TRAIN and TEST of one command meet at the same place


def _meet(cfg, device, place):
    """As `_join_group`. Raises: JobError: not all others came."""
    try:
        return _join_group(cfg, device, place)
    except RuntimeError as error:
        if not failures.is_echo(error):
            raise
        raise JobError(
            f"process {place.rank} of {place.world_size} did not meet all others at {place.url} within "
            f"DIST.TIMEOUT_SEC {cfg.DIST.TIMEOUT_SEC} ({failures.in_brief(error)})"
        ) from None


def _join_group(cfg, device, place):
    """Initialise the process group; the store of this job."""
    backend = cfg.DIST_BACKEND if device.type == "cuda" else "gloo"
    timeout = timedelta(seconds=cfg.DIST.TIMEOUT_SEC)
    if place.url not in _joined:
        if "://" in place.url:
            store, *_ = next(rendezvous(place.url, place.rank, place.world_size, timeout=timeout))
            if place.starter == "torchrun":  # which may have started others before, in the same store
                name = agree_on_name(store, place.rank, place.world_size, cfg.DIST.TIMEOUT_SEC)
                store = dist.PrefixStore(name, store)
        else:  # the parent keeps it
            host, port = place.url.split(":")
            store = dist.TCPStore(host, int(port), place.world_size, is_master=False, timeout=timeout)
        _joined[place.url] = [store, 0]
    store, jobs = _joined[place.url]
    _joined[place.url][1] += 1
    store = dist.PrefixStore(f"job {jobs}", store)
    dist.init_process_group(
        backend,
        store=dist.PrefixStore("group", store),
        rank=place.rank,
        world_size=place.world_size,
        timeout=timeout,
    )
    return store


def _tell_others(error, place, store):
    """The exception to end with: the process's own, or the words of the one that failed before it."""
    if failures.is_echo(error):
        failure = failures.wait_for_first(store, seconds=1.0)
        if failure is not None and failure[0] != place.rank:
            return JobError(failures.echo_text(*failure))
        return JobError(
            f"process {place.rank} of {place.world_size} lost another one, which was killed or cut off "
            f"({failures.in_brief(error)})"
        )
    try:
        failures.post(store, place.rank, failures.in_brief(error))
    except RuntimeError:  # the store is gone with the process that kept it
        pass
    return error


def _print_report(text, echo):
    if not echo:
        os.write(2, "".join(f"error: {line}\n" for line in text.splitlines()).encode())
