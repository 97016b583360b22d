"""What a test run leaves behind: scores, metrics, a picture, and where they came from.

V videos that were scored, K classes.
"""

import json
import math
import os
import pickle
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np
import torch

from slowfast.config import derive
from slowfast.evaluation import verb_noun
from slowfast.evaluation.class_names import class_names_of
from slowfast.evaluation.metrics import (
    average_precision,
    confusion_matrix,
    mean_average_precision,
    per_class_accuracy,
    topk_accuracy,
)
from slowfast.evaluation.plots import plot_confusion_matrix
from slowfast.utils.io import atomic_write, atomic_write_text, sha256_file
from slowfast.utils.provenance import code_version, versions


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What is tested and how: all that a result carries beside its scores. Made before the test, from what runs then.

    Args:
        title: one line that names model and data, the heading of the picture.
        paths, labels: of every listed video, by video id; labels are ints, tensors (K,) of zeros and ones, or
            (verb, noun), below 0 where they are unknown.
        class_names: K strings.
        num_views: views of each video.
        scores: "softmax" or "logits", what a view contributes to its video's score.
        ensemble_method: "sum" or "max", over the views.
        frame_order: "forward", or the control that was tested instead.
        world_size: processes that shared the test.
        checkpoint: {"path", "sha256", "epoch"} as `describe_checkpoint` gives it; None for random weights.
        config: the whole configuration as nested dicts.
        head_classes: (verbs, nouns) where labels are of two parts; None otherwise.
        clip_ids: the data set's own name of every listed video; None: it has none.
        groups: name -> {"verb", "noun", "action"} -> bool (listed videos,): further accuracies, over these alone.
        provenance: {"code", "versions"}.
    """

    title: str
    paths: list
    labels: list
    class_names: list
    num_views: int
    scores: str
    ensemble_method: str
    frame_order: str
    world_size: int
    checkpoint: dict | None
    config: dict
    head_classes: tuple | None = None
    clip_ids: list | None = None
    groups: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=lambda: {"code": code_version(), "versions": versions()})

    @classmethod
    def from_cfg(cls, cfg, dataset, checkpoint, world_size):
        """Args: dataset: of the test split; checkpoint: of `describe_checkpoint`, or None.

        Raises: UserError: DATA.CLASS_NAMES_PATH does not fit; better known before the test than after it.
        """
        scores, method = cfg.TEST.SCORES, cfg.DATA.ENSEMBLE_METHOD
        names_key, classes = cfg.DATA.CLASS_NAMES_PATH, cfg.MODEL.NUM_CLASSES
        views = f"{cfg.TEST.NUM_ENSEMBLE_VIEWS} x {cfg.TEST.NUM_SPATIAL_CROPS} views"
        order = "" if cfg.TEST.FRAME_ORDER == "forward" else f", frames {cfg.TEST.FRAME_ORDER}"
        return cls(
            title=f"{cfg.MODEL.MODEL_NAME} on {cfg.TEST.DATASET}, {views}, {method} of {scores}{order}",
            paths=[record.path for record in dataset.records],
            labels=dataset.labels,
            class_names=class_names_of(dataset, names_key, cfg.DATA.PATH_TO_DATA_DIR, classes),
            num_views=dataset.num_views,
            scores=scores,
            ensemble_method=method,
            frame_order=cfg.TEST.FRAME_ORDER,
            world_size=world_size,
            checkpoint=checkpoint,
            config=cfg,
            head_classes=derive.head_classes(cfg),
            clip_ids=getattr(dataset, "clip_ids", None),
            groups=getattr(dataset, "groups", {}),
        )


def describe_checkpoint(path, epoch=None):
    """Args: epoch: number of epochs that were finished when it was written; None: it does not say."""
    return {"path": os.path.abspath(path), "sha256": sha256_file(path), "epoch": epoch}


def write_test_results(output_dir, ensemble, record, *, save_results_path=""):
    """Combine the views and write test_results.json, predictions.npz and confusion_matrix.png, each replaced whole.

    Where any number of labels applies there is no confusion matrix, and labels have shape (V, K); with a verb and a
    noun neither, and labels (V, 2), scores (V, verbs + nouns).

    predictions.npz: scores float32 (V, K), labels and video_ids int64 (V,), paths (V,), class_names (K,) as text, with
    a verb and a noun head_classes (2,), and clip_ids (V,) where the data set has them; frames int32 (V, views, T), what
    each view showed, where the test knows; loads with allow_pickle=False.

    Args:
        output_dir: folder of the run.
        ensemble: `ViewEnsemble` that holds the views of all ranks.
        record: `RunRecord`.
        save_results_path: TEST.SAVE_RESULTS_PATH, a file in output_dir for [scores, labels] as two pickled tensors,
            float32 (V, K) and int64 (V,), PySlowFast's form; "": none.
    Returns:
        dict, the content of test_results.json; accuracies are NaN there (null in the file) if no video was scored.
    Raises:
        RuntimeError: a view is missing or was counted twice.
    """
    result = ensemble.finalize()
    scores, video_ids = result.scores, result.video_ids
    labels = np.asarray(record.labels, np.int64)[video_ids]
    matrix = None if labels.ndim == 2 else confusion_matrix(scores.argmax(axis=1), labels, len(record.class_names))
    content = _content(scores, labels, matrix, ensemble, record, video_ids)

    arrays = {
        "scores": scores,
        "labels": labels,
        "video_ids": video_ids,
        "paths": np.asarray([record.paths[i] for i in video_ids], np.str_),
        "class_names": np.asarray(record.class_names, np.str_),
    }
    if record.head_classes:
        arrays["head_classes"] = np.asarray(record.head_classes, np.int64)
    if record.clip_ids is not None:
        arrays["clip_ids"] = np.asarray([record.clip_ids[i] for i in video_ids], np.str_)
    if result.frames is not None:
        arrays["frames"] = result.frames
    atomic_write(os.path.join(output_dir, "predictions.npz"), lambda file: np.savez_compressed(file, **arrays))
    if save_results_path:
        tensors = [torch.from_numpy(scores), torch.from_numpy(labels)]
        atomic_write(os.path.join(output_dir, save_results_path), lambda file: pickle.dump(tensors, file))
    text = json.dumps(_plain(content), indent=2, allow_nan=False)
    atomic_write_text(os.path.join(output_dir, "test_results.json"), text + "\n")
    if matrix is not None:
        path = os.path.join(output_dir, "confusion_matrix.png")
        plot_confusion_matrix(matrix, record.class_names, path, record.title)
    return content


def _measure(scores, labels, matrix, record, video_ids):
    """(metrics, per_class): dicts for the beginning and the end of the file."""
    if record.head_classes:
        groups = {
            name: {part: rows[video_ids] for part, rows in chosen.items()} for name, chosen in record.groups.items()
        }
        probabilities = record.scores == "softmax"
        metrics = verb_noun.summarise(scores, labels, record.head_classes, probabilities=probabilities, groups=groups)
        return metrics, {}
    if matrix is None:
        metrics = {"map": mean_average_precision(scores, labels)}
        return metrics, {"per_class_ap": _per_class_ap(scores, labels, record.class_names)}
    metrics = dict(zip(("top1_acc", "top5_acc"), topk_accuracy(scores, labels, (1, 5))))
    return metrics, {"per_class_accuracy": _per_class(matrix, record.class_names)}


def _content(scores, labels, matrix, ensemble, record, video_ids):
    metrics, per_class = _measure(scores, labels, matrix, record, video_ids)
    unreadable = [{"path": path, "reason": reason} for path, reason in ensemble.unreadable.values()]
    return {
        **metrics,
        "num_videos": len(scores),
        "num_videos_listed": len(record.labels),
        "coverage": f"{len(scores):,} of {len(record.labels):,} videos scored",
        "num_views": record.num_views,
        "num_unreadable": len(unreadable),
        "unreadable": unreadable,
        "notes": _notes(len(scores), len(record.class_names), record),
        "scores": record.scores,
        "ensemble_method": record.ensemble_method,
        "frame_order": record.frame_order,
        "world_size": record.world_size,
        "checkpoint": record.checkpoint,
        **record.provenance,
        "finished_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **per_class,
        "config": record.config,
    }


def _per_class(matrix, class_names):
    accuracy, counts = per_class_accuracy(matrix)
    return [
        {
            "label": label,
            "class": name,
            "accuracy": float(accuracy[label]),
            "num_correct": int(matrix[label, label]),
            "num_videos": int(counts[label]),
        }
        for label, name in enumerate(class_names)
    ]


def _per_class_ap(scores, labels, class_names):
    precisions = 100.0 * average_precision(scores, labels)
    return [
        {"label": label, "class": name, "ap": float(precisions[label]), "num_videos": int(labels[:, label].sum())}
        for label, name in enumerate(class_names)
    ]


def _notes(num_videos, num_classes, record):
    """Sentences that a reader of the numbers must know."""
    notes = []
    if num_classes <= 5 and isinstance(record.labels[0], int):
        notes.append(f"top5_acc is over all {num_classes} classes and therefore always 100")
    if num_videos < len(record.labels):
        notes.append(
            f"{len(record.labels) - num_videos} listed video(s) could not be read and are not in the accuracies"
        )
    if record.checkpoint is None:
        notes.append("random weights were tested, not a checkpoint")
    if record.frame_order != "forward":
        notes.append(f"a control: the frames of every clip were {record.frame_order}")
    return notes


def _plain(value):
    """The same in types that JSON has: NaN becomes null, an infinity of the configuration its name."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else repr(value)
    return value
