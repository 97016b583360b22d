"""How the clips of an optimizer step are shared out when a run has fewer processes than it was planned for."""

from slowfast.config import derive
from slowfast.utils.errors import ConfigError


def share_out(cfg, world_size, *, cuda):
    """The config for `world_size` processes: the same effective batch, and no more clips at once in any of them.

    A run is planned for NUM_SHARDS machines of NUM_GPUS processes (NUM_PROCS on CPUs). Where some are missing, after a
    machine was lost say, the others take more micro-steps: TRAIN.BATCH_SIZE falls and SOLVER.ACCUMULATE_STEPS rises.
    With as many as planned, or more, they keep their micro-steps.

    Args:
        world_size: processes that are there.
        cuda: whether they have GPUs.
    Returns: frozen config; `cfg` itself where nothing changes.
    Raises: ConfigError: the clips of a step cannot be shared equally.
    """
    planned = cfg.NUM_SHARDS * derive.num_processes(cfg, cuda)
    clips = cfg.TRAIN.BATCH_SIZE * cfg.NUM_SHARDS
    if world_size >= planned and clips % world_size == 0:
        return cfg
    most = max(1, clips // planned)
    sizes = _sizes(cfg, world_size)
    size = max((n for n in sizes if n <= most), default=min(sizes, default=None))
    if size is None:
        raise ConfigError(
            f"TRAIN.BATCH_SIZE: {cfg.TRAIN.BATCH_SIZE} x NUM_SHARDS {cfg.NUM_SHARDS} x SOLVER.ACCUMULATE_STEPS "
            f"{cfg.SOLVER.ACCUMULATE_STEPS} = {derive.effective_batch(cfg)} clips a step cannot be shared equally by "
            f"{world_size} processes; take a multiple of {world_size}"
        )
    accumulate_steps = derive.effective_batch(cfg) // (size * world_size)
    return with_batch(cfg, size * world_size // cfg.NUM_SHARDS, accumulate_steps)


def _sizes(cfg, world_size):
    """Clips a process and micro-step that make the effective batch in whole micro-steps."""
    group = cfg.MIXUP.GROUP_SIZE if derive.mixes(cfg) else 0
    share, rest = divmod(derive.effective_batch(cfg), world_size)
    return [
        size
        for size in range(1, share + 1)
        if rest == share % size == size * world_size % cfg.NUM_SHARDS == 0 and size % max(1, group) == 0
    ]


def with_batch(cfg, batch_size, accumulate_steps):
    """A frozen copy of the config with other TRAIN.BATCH_SIZE and SOLVER.ACCUMULATE_STEPS."""
    other = cfg.clone()
    other.defrost()
    other.TRAIN.BATCH_SIZE, other.SOLVER.ACCUMULATE_STEPS = batch_size, accumulate_steps
    other.freeze()
    return other
