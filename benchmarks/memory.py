#!/usr/bin/env python
"""Predicted memory of training steps against that of real ones, for every backbone: python benchmarks/memory.py

Each real run is a process of its own that builds the model, takes two optimizer steps (CPU, AdamW) and reads its
largest resident memory, less what it had before the model; the prediction is that of --dry_run. Prints Markdown.
"""

import argparse
import gc
import os
import sys
from multiprocessing import get_context

import torch

from slowfast.config import get_cfg
from slowfast.engine.memory_plan import plan_memory, training_labels
from slowfast.engine.step import OptimizerStep
from slowfast.models import build_model
from slowfast.solver.optimizer import build_optimizer
from slowfast.tasks import build_task
from slowfast.utils.command_line import run_command
from slowfast.utils.memory import peak_bytes, reset_peak, resident_bytes, return_freed

CPU = torch.device("cpu")
VIDEO_VIT = {"MODEL.MODEL_NAME": "VideoViT", "VIDEO_VIT.PATCH_SIZE": 16, "VIDEO_VIT.DEPTH": 4}
EVA_VIDEO = {"MODEL.MODEL_NAME": "EVAVideo", "EVA_VIDEO.DEPTH": 3, "EVA_VIDEO.SIZE": "base"}
XVIT = {"MODEL.MODEL_NAME": "XViT", "XVIT.BASE_MODEL": "vit_base_patch16_224", "XVIT.DEPTH": 4}
XVIT |= {"XVIT.LOCATIONS_LIST": [0, 1, 2, 3], "XVIT.CONSENSUS_TYPE": "avg"}
SMALL = {"DATA.NUM_FRAMES": 8, "DATA.TRAIN_CROP_SIZE": 112, "DATA.TEST_CROP_SIZE": 112, "TRAIN.BATCH_SIZE": 4}
WIDE = {"DATA.NUM_FRAMES": 8, "DATA.TRAIN_CROP_SIZE": 224, "DATA.TEST_CROP_SIZE": 224, "TRAIN.BATCH_SIZE": 1}
RUNS = {
    f"{name}, {size}": {**model, **shape}
    for name, model in {"VideoViT": VIDEO_VIT, "EVAVideo": EVA_VIDEO, "XViT": XVIT}.items()
    for size, shape in {"4 x 8 x 112 px": SMALL, "1 x 8 x 224 px": WIDE}.items()
}


def small_run(settings, act_checkpoint=False):
    """Config of a training step of these settings."""
    cfg = get_cfg()
    common = {"SOLVER.OPTIMIZING_METHOD": "adamw", "DATA.INPUT_CHANNEL_NUM": [3], "MODEL.DROPOUT_RATE": 0.0}
    common |= {"MODEL.ACT_CHECKPOINT": act_checkpoint, "NUM_GPUS": 0}
    cfg.merge_from_list([word for pair in (common | settings).items() for word in pair])
    return cfg


def predicted(cfg):
    """Bytes that --dry_run says."""
    with torch.device("meta"):
        model = build_model(cfg)
    return plan_memory(cfg, model, CPU).peak


def measured(cfg):
    """Bytes that two optimizer steps really take at most, in a process of their own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (cfg,))


def _measure(cfg):
    torch.set_num_threads(1)
    return_freed()
    _train(small_run({"MODEL.MODEL_NAME": "VideoViT", "VIDEO_VIT.EMBED_DIM": 64, "VIDEO_VIT.DEPTH": 1, **TINY}))
    gc.collect()
    before = resident_bytes(os.getpid())
    reset_peak(CPU)
    _train(cfg)
    return peak_bytes(CPU) - before


TINY = {"VIDEO_VIT.NUM_HEADS": 2, "DATA.NUM_FRAMES": 2, "DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32}
TINY |= {"MODEL.ACT_CHECKPOINT": True, "TRAIN.BATCH_SIZE": 2}  # what is loaded late comes with it


class Labelled:
    """As much of a batch as a step asks for."""

    def __init__(self, labels):
        self.labels = labels
        self.video_ids = list(range(len(labels)))


def _train(cfg):
    model, task = build_model(cfg), build_task(cfg)
    optimizer = build_optimizer(model, cfg, 1e-4)
    step = OptimizerStep.from_cfg(cfg, model, optimizer, task, CPU)
    clips, data = cfg.TRAIN.BATCH_SIZE, cfg.DATA
    labels = training_labels(cfg, task, (clips, data.NUM_FRAMES, data.TRAIN_CROP_SIZE))
    frames = torch.zeros(clips, 3, data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TRAIN_CROP_SIZE)
    for number in range(2):
        step([(Labelled(labels), frames)] * cfg.SOLVER.ACCUMULATE_STEPS, lr=1e-4, step=number, epoch=0)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    precision = {"TRAIN.PRECISION": parser.parse_args(argv).precision}
    print("| model and clips | activations | predicted (MiB) | measured (MiB) | predicted / measured |")
    print("|---|---|---|---|---|")
    for name, settings in RUNS.items():
        for recomputed in (False, True):
            cfg = small_run(settings | precision, recomputed)
            said, taken = predicted(cfg), measured(cfg)
            kept = "recomputed" if recomputed else "kept"
            print(f"| {name} | {kept} | {said / 2**20:.0f} | {taken / 2**20:.0f} | {said / taken:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
