#!/usr/bin/env python
"""CPU time of a training clip's transforms, against decoding it and against the same done by Pillow frame by frame.

One process, one thread: python -m benchmarks.augmentation. A clip is 16 frames with stride 4 from a random start of
10 s of H.264 at 340 x 256 px, as benchmarks/data.py makes it, and becomes 16 x 224 x 224. All contenders take turns on
the same clips and draws. "Loader" is what a worker does, on bytes; "all" is that and, on the CPU, what else runs on the
device: normalisation and erasing.
"""

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional as by_frame

from benchmarks import data
from slowfast.config import load_cfg
from slowfast.datasets.collate import Sample, collate
from slowfast.datasets.transforms.build import build_clip_input, build_transforms
from slowfast.tasks import build_task
from slowfast.utils.io import atomic_write_text

KEY_FRAMES = 32
BOXES = [
    *("DATA.TRAIN_JITTER_SCALES_RELATIVE", [0.08, 1.0], "DATA.TRAIN_JITTER_ASPECT_RELATIVE", [0.75, 1.3333]),
]
PILLOW = "box, flip by Pillow: all"
RECIPES = {
    "box, flip": BOXES,
    "short side, square, flip": [],
    "box, flip, rand-m7-n4-mstd0.5-inc1": [*BOXES, "AUG.ENABLE", True, "AUG.AA_TYPE", "rand-m7-n4-mstd0.5-inc1"],
    "short side, square, flip, v0": ["DATA.AUTOAUGMENT", True],
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", help="footage to make the file of; a drawn texture if not given")
    parser.add_argument("--clips", type=int, default=60, help="clips (default: 60)")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    return parser.parse_args(argv)


class Recipe:
    """The transforms of a configuration, in the loader and on the device, as training applies them to one clip."""

    def __init__(self, options):
        cfg = load_cfg(None, options)
        self.transform = build_transforms(cfg, "train")[1]
        self.finish = build_clip_input(cfg, torch.device("cpu"), build_task(cfg))

    def load(self, clip, seed):
        """uint8 (T, H, W, C) -> Sample."""
        frames, drawn = self.transform(clip, np.random.default_rng(seed))
        return Sample(torch.from_numpy(frames).permute(3, 0, 1, 2), 0, seed, drawn=drawn)

    def __call__(self, clip, seed):
        """uint8 (T, H, W, C) -> normalised float32 (1, C, T, H, W)."""
        return self.finish(collate([self.load(clip, seed)]))[1]


def by_pillow(clip, box, flipped):
    """The same box, mirror image and normalisation, frame by frame through Pillow -> float32 (C, T, H, W)."""
    frames = []
    for pixels in clip:
        frame = by_frame.resized_crop(Image.fromarray(pixels), *box, [224, 224])
        frame = by_frame.to_tensor(by_frame.hflip(frame) if flipped else frame)
        frames.append(by_frame.normalize(frame, [0.45] * 3, [0.225] * 3))
    return torch.stack(frames, dim=1)


def measure(path, clips):
    """dict name -> float64 (clips,), CPU ms."""
    recipes = {name: Recipe(options) for name, options in RECIPES.items()}
    spent, rng = {}, np.random.default_rng(1)
    for seed, start in enumerate(rng.integers(0, data.LENGTH - data.NUM_FRAMES * data.STRIDE, clips)):
        clip = _timed(spent, "decoding", partial(data.ours, path, start + data.STRIDE * np.arange(data.NUM_FRAMES)))
        for name, recipe in recipes.items():
            _timed(spent, f"{name}: loader", partial(recipe.load, clip, seed))
            _timed(spent, f"{name}: all", partial(recipe, clip, seed))
        drawn = recipes["box, flip"].load(clip, seed).drawn
        _timed(spent, PILLOW, partial(by_pillow, clip, drawn.box, drawn.flipped))
    return {name: np.array(times) for name, times in spent.items()}


def _timed(spent, name, run):
    begin = time.process_time()
    result = run()
    spent.setdefault(name, []).append(1000 * (time.process_time() - begin))
    return result


def summarise(times):
    """list of {"what", "ms": median, "mean_ms", "to_decoding": ratio of means, "to_pillow": median ratio or None}."""
    return [
        {
            "what": name,
            "ms": float(np.median(values)),
            "mean_ms": float(values.mean()),
            "to_decoding": float(values.mean() / times["decoding"].mean()),
            "to_pillow": float(np.median(values / times[PILLOW])) if name == "box, flip: all" else None,
        }
        for name, values in times.items()
    ]


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        data.write_h264(path, data.footage(args.video), KEY_FRAMES)
        measure(path, 3)
        rows = summarise(measure(path, args.clips))
    for row in rows:
        told = f"{row['what']:<46}{row['ms']:7.1f} ms median{row['mean_ms']:7.1f} ms mean"
        told += f"{row['to_decoding']:6.2f} of decoding"
        print(told + (f", {row['to_pillow']:.2f} of Pillow" if row["to_pillow"] else ""))
    if args.out:
        atomic_write_text(args.out, json.dumps({"rows": rows, "clips": args.clips}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
