"""One pass over the validation split: each video once, middle clip, centre crop."""

from functools import cache

import torch

from slowfast.engine.feed import Feed
from slowfast.engine.metrics_log import Progress
from slowfast.engine.processes import preemption, watchdog
from slowfast.engine.processes.preemption import Preempted
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger


@torch.inference_mode()
def validate(model, task, loader, cfg, device, precision):
    """Args: model: the bare module; loader: yields this process's share of the split.

    Returns:
        (metrics, unreadable): dict of floats over all processes, accuracies in percent; list of Unreadable.
    Raises:
        UserError: not one video could be read.
        Preempted: one of the processes was asked to leave.
    """
    model.eval()
    sums = {"loss": 0.0, "clips": 0.0, **dict.fromkeys(task.counts, 0.0)}
    unreadable, kept = [], []  # kept: (scores, labels) for tasks whose metric is over the whole split
    progress = Progress(len(loader), "validation", enabled=distributed.is_main())
    for batch, frames in watchdog.watched_batches("validating", loader, Feed.from_cfg(cfg, loader, device)):
        if preemption.requested():
            break  # the others are told below
        unreadable += batch.unreadable
        if frames is not None:
            with precision.autocast():
                run = cache(model)  # the same tensors give the same outputs: the network runs once
                loss, counts = task.loss(run, frames, batch.labels)
                if hasattr(task, "split_metrics"):
                    kept.append((task.predict(run, frames).cpu(), batch.labels.cpu()))
            clips = len(batch.labels)
            for name, value in {"loss": loss * clips, "clips": clips, **counts}.items():
                sums[name] += value
        progress.advance()
    progress.close()
    watchdog.beat("gathering")
    totals = distributed.all_reduce_sums(sums | {"leaving": preemption.requested()}, device)
    if totals.pop("leaving"):
        raise Preempted
    unreadable = [video for share in distributed.gather_objects(unreadable) for video in share]
    if totals["clips"] == 0:
        raise UserError("validation could not read a single video; check DATA.PATH_PREFIX and the val split's paths")
    if distributed.is_main():
        for video in unreadable:
            get_logger().error(f"unreadable validation video {video.path}: {video.reason}")
    return averages(totals) | _split_metrics(task, kept), unreadable


def _split_metrics(task, kept):
    """What a task says of the scores of all processes; {} for tasks that only count."""
    if not hasattr(task, "split_metrics"):
        return {}
    kept = [pair for share in distributed.gather_objects(kept) for pair in share]
    return task.split_metrics(*(torch.cat(parts) for parts in zip(*kept)))


def averages(totals):
    """Sums over clips -> "loss" per clip, accuracies in percent, "clips"."""
    clips = totals["clips"]
    counts = {f"{name}_acc": 100.0 * totals[name] / clips for name in totals if name not in ("loss", "clips")}
    return {"loss": totals["loss"] / clips, **counts, "clips": round(clips)}
