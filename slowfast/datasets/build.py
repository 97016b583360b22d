"""The registry of data sets, and the one way to get a data set or a loader from a config."""

import cv2
import torch
from torch.utils.data import DataLoader

from slowfast.datasets.balanced import BalancedBatchSampler
from slowfast.datasets.collate import collate
from slowfast.datasets.samplers import PLAIN, EvalBatchSampler, TrainBatchSampler
from slowfast.utils import memory
from slowfast.utils.errors import ConfigError, UserError
from slowfast.utils.registry import Registry
from slowfast.utils.signals import shield_data_worker

DATASET_REGISTRY = Registry("data set", "TRAIN.DATASET / TEST.DATASET")


def build_dataset(name, cfg, split):
    """The data set registered as `name` (in any case: "kinetics" is Kinetics), for "train", "val" or "test".

    Every registered data set has `from_cfg(cfg, split)`, and what `VideoDataset` says of items and attributes.
    Raises: ConfigError for an unregistered name; UserError for missing or malformed lists.
    """
    spelt = {known.lower(): known for known in DATASET_REGISTRY.names()}
    return DATASET_REGISTRY.get(spelt.get(name.lower(), name)).from_cfg(cfg, split)


def construct_loader(cfg, split, *, rank=0, world_size=1, phases=PLAIN):
    """Loader of ClipBatch for one process.

    Args:
        split: "train" and "val" read TRAIN.DATASET in batches of TRAIN.BATCH_SIZE, "test" TEST.DATASET and
            TEST.BATCH_SIZE; both sizes are clips a machine, shared out among its processes.
        rank, world_size: this process among those of all NUM_SHARDS machines.
        phases: of training, see `TrainBatchSampler`.
    Returns:
        ClipLoader; its batch_sampler is a TrainBatchSampler or an EvalBatchSampler.
    """
    section = cfg.TEST if split == "test" else cfg.TRAIN
    dataset = build_dataset(section.DATASET, cfg, split)
    batch_size = max(1, section.BATCH_SIZE * cfg.NUM_SHARDS // world_size)
    if split == "train":
        sampler = _train_sampler(cfg, dataset, batch_size, rank, world_size, phases)
    else:
        sampler = EvalBatchSampler(len(dataset), batch_size, rank, world_size)
    workers = cfg.DATA_LOADER.NUM_WORKERS
    return ClipLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY and torch.cuda.is_available(),
        worker_init_fn=_prepare_worker,
        persistent_workers=workers > 0,
        prefetch_factor=cfg.DATA_LOADER.PREFETCH_FACTOR if workers > 0 else None,
    )


def _train_sampler(cfg, dataset, batch_size, rank, world_size, phases):
    """Args: batch_size: clips a process and micro-step."""
    accumulate = cfg.SOLVER.ACCUMULATE_STEPS
    if not cfg.TRAIN.BALANCED_BATCH:
        return TrainBatchSampler(len(dataset), batch_size, accumulate, rank, world_size, cfg.RNG_SEED, phases)
    classes, clips = cfg.TRAIN.BALANCED_BATCH
    if batch_size != classes * clips:
        raise ConfigError(
            f"TRAIN.BALANCED_BATCH: {classes} classes x {clips} clips = {classes * clips}, but a process takes "
            f"{batch_size} clips a micro-step (TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE}, {world_size} processes). "
            f"Set TRAIN.BATCH_SIZE {classes * clips * world_size // cfg.NUM_SHARDS}"
        )
    if not all(isinstance(label, int) for label in dataset.labels):
        raise ConfigError(
            "TRAIN.BALANCED_BATCH: needs one class a video; the labels of this data set have several parts"
        )
    return BalancedBatchSampler(dataset.labels, classes, clips, accumulate, rank, world_size, cfg.RNG_SEED)


class ClipLoader(DataLoader):
    """A DataLoader whose data set may hand on a UserError, which is raised here, in the process that asked."""

    def __iter__(self):
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                raise batch
            yield batch


def _collate(samples):
    """As `collate`; what clips of other sizes left behind in the heap would make a worker grow for days."""
    batch = collate(samples)
    memory.trim()
    return batch


def _prepare_worker(worker):
    shield_data_worker()
    memory.return_freed()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
