"""What a model receives in training, validation and test, as clips to look at; nothing is trained."""

from itertools import islice

import numpy as np
import torch

from slowfast.config import derive
from slowfast.datasets.build import construct_loader
from slowfast.datasets.collate import collate
from slowfast.engine.feed import Feed
from slowfast.engine.multigrid import build_course, sampler_phases
from slowfast.evaluation.class_names import class_names_of
from slowfast.evaluation.sheets import MOST_FRAMES, ShownClip
from slowfast.tasks import build_task
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger

CPU = torch.device("cpu")


def shown_batches(cfg, *, epoch, num):
    """Yields (name, heading, list of ShownClip): "train", "val" and "test_view_00" and on.

    Args:
        epoch: whose first training batch to show, from 0.
        num: videos in each picture.
    Raises: UserError: not one video of a batch can be read.
    """
    task = build_task(cfg)
    if cfg.TRAIN.ENABLE:
        loader = construct_loader(cfg, "train", phases=sampler_phases(build_course(cfg)))
        loader.batch_sampler.set_position(epoch, 0)
        batch, frames = next(iter(Feed.from_cfg(cfg, islice(loader, 1), CPU, train_task=task)))
        count = len(batch) // loader.dataset.num_samples
        places = [first + again for first in range(min(num, count)) for again in range(0, len(batch), count)]
        clips = [_shown(cfg, task, loader.dataset, batch, frames, place) for place in places]
        yield "train", f"training, epoch {epoch}, first batch of {len(batch)} clips", clips
        loader = construct_loader(cfg, "val")
        yield "val", "validation", _evaluated(cfg, task, loader.dataset, range(min(num, loader.dataset.num_videos)))
    if cfg.TEST.ENABLE:
        data = construct_loader(cfg, "test").dataset
        for view in range(data.num_views):
            items = [video * data.num_views + view for video in range(min(num, data.num_videos))]
            clip, crop = divmod(view, cfg.TEST.NUM_SPATIAL_CROPS)
            heading = f"test, view {view} of {data.num_views}: clip {clip}, crop {crop}"
            yield f"test_view_{view:02d}", heading, _evaluated(cfg, task, data, items)


def _evaluated(cfg, task, dataset, items):
    batch = collate([dataset[0, item, None] for item in items])
    for video in batch.unreadable:
        get_logger().error(f"unreadable video {video.path}: {video.reason}")
    if not len(batch):
        raise UserError(f"not one of the first {len(items)} videos can be read; check DATA.PATH_PREFIX")
    batch, frames = next(iter(Feed.from_cfg(cfg, [batch], CPU)))
    return [_shown(cfg, task, dataset, batch, frames, place) for place in range(len(batch))]


def _shown(cfg, task, dataset, batch, frames, place):
    record, indices, drawn = dataset.records[batch.video_ids[place]], batch.indices[place], batch.drawn[place]
    with dataset.open_video(record) as reader:
        source = reader.get(indices[len(indices) // 2 : len(indices) // 2 + 1])[0]
    again = f", clip {batch.view_ids[place]} of it" if dataset.num_samples > 1 else ""
    y, x, height, width = (round(side) for side in drawn.box)
    done = ["mirrored"] * drawn.flipped + list(drawn.operations) + _mixed_text(batch, place)
    details = [
        _frames_text(indices.tolist()),
        f"box of {height} x {width} px at ({y}, {x}) of {source.shape[0]} x {source.shape[1]}",
        *([", ".join(done)] if done else []),
    ]
    return ShownClip(
        _pixels(cfg, _visible(task, frames[place], batch.labels[place])),
        indices.tolist(),
        source,
        drawn.box,
        f"{_label_text(cfg, dataset, batch.labels[place])} · video {batch.video_ids[place]}{again}, {record.path}",
        " · ".join(details),
    )


def _frames_text(numbers):
    told = numbers if len(numbers) <= MOST_FRAMES else [*numbers[:4], "...", *numbers[-4:]]
    return f"frames {' '.join(map(str, told))}"


def _mixed_text(batch, place):
    if not batch.mixed or batch.mixed[place][1] == 1.0:
        return []
    partner, share = batch.mixed[place]
    return [f"{share:.2f} of it, the rest of video {batch.video_ids[partner]}"]


def _visible(task, frames, label):
    """Frames (C, T, H, W) as the network sees them: tokens that masked pre-training hides are grey."""
    if not hasattr(task, "reconstruct"):
        return frames
    one, hidden = frames[None], label[None]
    mean, std = (torch.tensor(values).view(-1, 1, 1, 1) for values in (task.mean, task.std))
    return (task.reconstruct(one, hidden, task.targets(one, hidden))[1, 0] - mean) / std


def _pixels(cfg, frames):
    """Normalised frames (C, T, H, W) -> uint8 (T, H, W, 3), what lies outside of colours clipped."""
    frames = frames.flip(0) if cfg.DATA.REVERSE_INPUT_CHANNEL else frames
    mean, std = (torch.tensor(values).view(-1, 1, 1, 1) for values in (cfg.DATA.MEAN, cfg.DATA.STD))
    colours = ((frames * std + mean).clamp(0, 1) * 255).round()
    return np.ascontiguousarray(colours.to(torch.uint8).permute(1, 2, 3, 0).numpy())


def _label_text(cfg, dataset, label):
    """A label as words: a class, a verb and a noun, shares of classes, or how many tokens are hidden."""
    if derive.task_name(cfg) == "masked_pretraining":
        return f"{len(label)} tokens hidden"
    heads = derive.head_classes(cfg)
    if heads is None:
        folder, classes = cfg.DATA.PATH_TO_DATA_DIR, cfg.MODEL.NUM_CLASSES
        names = class_names_of(dataset, cfg.DATA.CLASS_NAMES_PATH, folder, classes)
        return _shares(label, names) if label.dim() else names[label]
    if not label.dtype.is_floating_point:
        return f"verb {label[0]}, noun {label[1]}"
    return ", ".join(
        f"{name} {_shares(part, [str(n) for n in range(len(part))])}"
        for name, part in zip(("verb", "noun"), label.split(heads))
    )


def _shares(label, names):
    """The classes of a mixed or multiple label whose share is above what smoothing gives to all."""
    chosen = [n for n in label.argsort(descending=True).tolist() if label[n] > label.min()]
    return " + ".join(f"{label[n]:.2f} {names[n]}" for n in chosen) or "no class"
