#!/usr/bin/env python
"""Pictures of a masked pre-training: python tools/reconstruct.py --cfg FILE [--num 8] [KEY VALUE ...]

For the first videos of the validation split, what there was, what the model saw, and what it made of it: a PNG each in
OUTPUT_DIR/reconstructions, with its error in its name. Weights: TEST.CHECKPOINT_FILE_PATH, else OUTPUT_DIR's last.
"""

import argparse
import sys
from pathlib import Path

import torch

from slowfast.config import load_cfg
from slowfast.datasets.build import construct_loader
from slowfast.engine.feed import Feed
from slowfast.engine.processes.launch import launch
from slowfast.engine.saving.initial import load_test_weights
from slowfast.evaluation.strips import strips, write_png
from slowfast.models import build_model
from slowfast.tasks import build_task
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, EXIT_LOST, ConfigError
from slowfast.utils.logging import get_logger

SMALLEST = 112  # px, height of a frame in a picture


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML of the pre-training")
    parser.add_argument("--num", type=int, default=8, help="videos (default: 8)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="overrides")
    args = parser.parse_args(argv)
    if args.num < 1:
        parser.error(f"--num is {args.num}; it must be at least 1")
    return args


def main(argv=None):
    args = parse_args(argv)
    cfg = load_cfg(args.cfg, [*args.opts, "NUM_PROCS", "1", "NUM_SHARDS", "1", "SHARD_ID", "0"])
    return launch(Reconstruction(args.num), cfg)


class Reconstruction:
    """The job: writes `num` pictures."""

    def __init__(self, num):
        self.num = num

    @torch.inference_mode()
    def __call__(self, cfg, device):
        task = build_task(cfg)
        if not hasattr(task, "reconstruct"):
            raise ConfigError("TASK: only masked_pretraining reconstructs clips; name the YAML of a pre-training.")
        model = build_model(cfg)
        load_test_weights(model, cfg)
        model.to(device).eval()
        folder, left, code = Path(cfg.OUTPUT_DIR) / "reconstructions", self.num, EXIT_DONE
        for batch, frames in Feed.from_cfg(cfg, construct_loader(cfg, "val"), device):
            for video in batch.unreadable:
                get_logger().error(f"unreadable validation video {video.path}: {video.reason}")
                code = EXIT_LOST
            for i in range(min(left, len(batch.labels))):
                one, hidden = frames[i : i + 1], batch.labels[i : i + 1].to(device)
                prediction = model(one, hidden).float()
                error = (prediction - task.targets(one, hidden)).square().mean().item()
                clips = task.reconstruct(one, hidden, prediction)[:, 0]  # (3, C, T, H, W)
                clips = clips.flip(1) if cfg.DATA.REVERSE_INPUT_CHANNEL else clips
                write_png(
                    folder / f"video_{batch.video_ids[i]:05d}_mse_{error:.4f}.png", strips(clips, smallest=SMALLEST)
                )
            left -= len(batch.labels)
            if left <= 0:
                break
        get_logger().info(f"{self.num - max(left, 0)} picture(s) in {folder}: clip, what the model saw, what it made")
        return code


if __name__ == "__main__":
    sys.exit(run_command(main))
