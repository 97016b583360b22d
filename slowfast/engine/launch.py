"""Start a job in as many processes as the configuration asks for, and end it as a whole."""

import traceback
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from slowfast.config import import_projects
from slowfast.config.derive import num_processes
from slowfast.utils import distributed
from slowfast.utils.errors import ConfigError, UserError
from slowfast.utils.logging import get_logger, setup_logging

LOCALHOST = "127.0.0.1"


def launch(job, cfg, init_method=None):
    """Run job(cfg, device) in every process of this machine.

    One process: here. Several: spawned, NUM_GPUS of them with NCCL, or NUM_PROCS with gloo on a machine without CUDA.

    Args:
        job: importable function (cfg, torch.device) -> exit code; the first process's code counts.
        cfg: frozen configuration.
        init_method: URL where machines meet, for NUM_SHARDS > 1; the same on each.
    Returns:
        the job's exit code.
    Raises:
        UserError: raised by the job in any process, or there are fewer GPUs than NUM_GPUS.
        RuntimeError: a process crashed; the text holds its traceback.
    """
    setup_logging(cfg.OUTPUT_DIR if cfg.SHARD_ID == 0 else None)
    local_size = _local_size(cfg)
    world_size = local_size * cfg.NUM_SHARDS
    if world_size == 1:
        _set_threads(cfg, 1)
        return job(cfg, _device(cfg, 0))
    return _spawn(job, cfg, local_size, world_size, init_method)


def _local_size(cfg):
    available = torch.cuda.device_count()
    if cfg.NUM_GPUS > 0 and available == 0:
        get_logger().warning(f"NUM_GPUS {cfg.NUM_GPUS}: no CUDA here, going on with {cfg.NUM_PROCS} CPU process(es)")
    elif cfg.NUM_GPUS > available:
        raise ConfigError(f"NUM_GPUS: {cfg.NUM_GPUS} asked for, {available} present; set NUM_GPUS {available} or less")
    return num_processes(cfg, available > 0)


def _device(cfg, local_rank):
    uses_cuda = cfg.NUM_GPUS > 0 and torch.cuda.is_available()
    return torch.device("cuda", local_rank) if uses_cuda else torch.device("cpu")


def _spawn(job, cfg, local_size, world_size, init_method):
    context = mp.get_context("spawn")
    messages = context.SimpleQueue()
    store = None
    if cfg.NUM_SHARDS == 1:  # our own store on a port that is free for certain
        store = dist.TCPStore(LOCALHOST, 0, world_size, is_master=True, wait_for_workers=False)
        init_method = f"tcp://{LOCALHOST}:{store.port}"
    args = (job, cfg, local_size, world_size, init_method, store is not None, messages)
    processes = mp.start_processes(_worker, args, nprocs=local_size, join=False, start_method="spawn")
    try:
        while not processes.join():
            pass
    except mp.ProcessExitedException as error:
        raise _first_failure(messages) or RuntimeError(f"a process ended with {error}") from None
    except mp.ProcessRaisedException as error:
        raise RuntimeError(str(error)) from None
    return messages.get()[1]


def _first_failure(messages):
    while not messages.empty():
        kind, value = messages.get()
        if kind == "user error":
            return UserError(value)
        if kind == "crash":
            return RuntimeError(value)
    return None


def _worker(local_rank, job, cfg, local_size, world_size, init_method, store_exists, messages):
    """One spawned process: meet the others, run the job, report how it ended."""
    rank = cfg.SHARD_ID * local_size + local_rank
    try:
        import_projects(cfg)
        setup_logging(cfg.OUTPUT_DIR if rank == 0 else None, quiet=rank != 0)
        device = _device(cfg, local_rank)
        _join_group(cfg, device, rank, world_size, init_method, store_exists)
        _set_threads(cfg, local_size)
        code = job(cfg, device)
        if local_rank == 0:
            messages.put(("exit code", code))
        dist.barrier()
        dist.destroy_process_group()
    except UserError as error:
        messages.put(("user error", str(error)))
        raise SystemExit(2) from None
    except Exception:
        messages.put(("crash", f"process {rank} of {world_size} failed:\n{traceback.format_exc()}"))
        raise SystemExit(1) from None


def _set_threads(cfg, local_size):
    torch.set_num_threads(cfg.NUM_THREADS or max(1, distributed.available_cores() // local_size))


def _join_group(cfg, device, rank, world_size, init_method, store_exists):
    backend = cfg.DIST_BACKEND if device.type == "cuda" else "gloo"
    options = {"rank": rank, "world_size": world_size, "timeout": timedelta(minutes=30)}
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if store_exists:
        host, port = init_method.removeprefix("tcp://").split(":")
        store = dist.TCPStore(host, int(port), world_size, is_master=False)
        dist.init_process_group(backend, store=store, **options)
    else:
        dist.init_process_group(backend, init_method=init_method, **options)
