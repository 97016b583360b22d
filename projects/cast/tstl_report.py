#!/usr/bin/env python
"""What a TSTL does on its test split: selector, oracle, routed accuracy for 1 to 5 experts and every vote, by group:
python projects/cast/tstl_report.py --cfg FILE [--single predictions.npz] KEY VALUE ...

Writes OUTPUT_DIR/tstl_report: report.json, report.md, routing_matrix.png (true group, chosen group) and features.png.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

from projects.cast.tstl.groups import read_groups
from projects.cast.tstl.model import TSTL
from projects.cast.tstl.report import Collected, as_markdown, draw_features, single_answers, summarise
from slowfast.config import derive, load_cfg
from slowfast.datasets.build import construct_loader
from slowfast.engine.feed import Feed
from slowfast.engine.metrics_log import Progress
from slowfast.engine.precision import Precision
from slowfast.engine.saving.initial import load_test_weights
from slowfast.evaluation.metrics import confusion_matrix
from slowfast.evaluation.plots import plot_confusion_matrix
from slowfast.models import build_model
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, ConfigError, UserError
from slowfast.utils.io import atomic_write_text
from slowfast.utils.logging import get_logger


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML with MODEL.MODEL_NAME TSTL")
    parser.add_argument("--single", default="", metavar="FILE", help="predictions.npz of a single CAST's test run")
    args, overrides = parser.parse_known_args(argv)
    cfg = load_cfg(args.cfg, overrides)
    device = torch.device("cuda" if cfg.NUM_GPUS and torch.cuda.is_available() else "cpu")
    model = build_model(cfg)
    if not isinstance(model, TSTL):
        raise ConfigError(f"MODEL.MODEL_NAME: got '{cfg.MODEL.MODEL_NAME}', expected TSTL")
    checkpoint = load_test_weights(model, cfg)
    groups = read_groups(cfg.TSTL.GROUPS_PATH, cfg.MODEL.NUM_CLASSES)
    loader = construct_loader(cfg, "test")
    paths, labels = [record.path for record in loader.dataset.records], np.asarray(loader.dataset.labels)
    single = single_answers(args.single, paths) if args.single else None
    collected, unreadable = collect(model.to(device).eval(), loader, cfg, device, groups)
    readable = ~np.isin(np.arange(len(paths)), list(unreadable))
    summary = summarise(collected, labels, readable, single)
    folder = Path(cfg.OUTPUT_DIR) / "tstl_report"
    content = {"checkpoint": checkpoint, "single": args.single, "unreadable": list(unreadable.values()), **summary}
    atomic_write_text(folder / "report.json", json.dumps(content, indent=2) + "\n")
    atomic_write_text(folder / "report.md", as_markdown(summary))
    chosen, right = collected.sums["selector"].argmax(axis=1)[readable], np.asarray(groups.of_class)[labels][readable]
    matrix = confusion_matrix(chosen, right, groups.num_groups)
    plot_confusion_matrix(matrix, groups.names, folder / "routing_matrix.png", "true group, chosen group")
    draw_features(collected, labels, readable, folder / "features.png")
    print(as_markdown(summary))
    print(folder)
    return EXIT_LOST if len(unreadable) > cfg.TEST.MAX_UNREADABLE else EXIT_DONE


@torch.inference_mode()
def collect(model, loader, cfg, device, groups):
    """All views of the split through the model. Returns: (Collected, dict video id -> path of what is unreadable)."""
    collected, unreadable = Collected(loader.dataset.num_videos, groups), {}
    precision, progress = Precision(derive.precision(cfg), device), Progress(len(loader), "report")
    for batch, frames in Feed.from_cfg(cfg, loader, device):
        for video in batch.unreadable:
            get_logger().error(f"unreadable test video {video.path}: {video.reason}")
            unreadable[int(video.video_id)] = video.path
        if frames is not None:
            with precision.autocast():
                collected.add(model, frames, batch.labels, batch.video_ids)
        progress.advance()
    progress.close()
    if len(unreadable) == loader.dataset.num_videos:
        raise UserError("not one test video could be read; check DATA.PATH_PREFIX")
    return collected, unreadable


if __name__ == "__main__":
    sys.exit(run_command(main))
