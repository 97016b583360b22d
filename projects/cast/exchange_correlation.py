#!/usr/bin/env python
"""Does CAST's exchange look at what moves? Over all validation clips of the toy set, block by block:
python projects/cast/exchange_correlation.py --cfg projects/cast/configs/Toy/cast.yaml KEY VALUE ...

Correlates the centre of mass of what is asked with the place of the moving shape, on the glued frame: of the places
that the temporal expert asks at each time, and of how much each place of the spatial expert asks for each time. Writes
OUTPUT_DIR/exchange_correlation.json.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np
import torch

from projects.cast.exchange_maps import attended_places, attended_times, centres, circular_correlation, exchange_maps
from slowfast.config import load_cfg
from slowfast.datasets import sampling
from slowfast.datasets.build import construct_loader
from slowfast.datasets.toy import NOUNS, clip_look, shape_positions
from slowfast.engine.feed import Feed
from slowfast.engine.saving.initial import load_test_weights
from slowfast.models import build_model
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write_text

CPU = torch.device("cpu")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, metavar="FILE")
    args, overrides = parser.parse_known_args(argv)
    cfg = load_cfg(args.cfg, overrides)
    model = build_model(cfg)
    checkpoint = load_test_weights(model, cfg)
    loader = construct_loader(cfg, "val")
    result = {
        "checkpoint": checkpoint,
        "num_videos": loader.dataset.num_videos,
        "blocks": correlations(model.eval(), loader, cfg),
    }
    path = Path(cfg.OUTPUT_DIR) / "exchange_correlation.json"
    atomic_write_text(path, json.dumps(result, indent=2) + "\n")
    for block, values in result["blocks"].items():
        print(f"block {block}: " + ", ".join(f"{name} {value:+.3f}" for name, value in values.items()))
    print(path)
    return EXIT_DONE


def correlations(model, loader, cfg):
    """dict block -> {"places": correlation, "times": correlation}."""
    options = _toy_options(Path(cfg.DATA.PATH_TO_DATA_DIR))
    true, found = [], {index: {"places": [], "times": []} for index, one in enumerate(model.blocks) if one.exchanges}
    for batch, frames in Feed.from_cfg(cfg, loader, CPU):
        paths = [loader.dataset.records[video].path for video in batch.video_ids.tolist()]
        true += [_true_positions(path, options, cfg) for path in paths]
        for index, kinds in found.items():
            maps = exchange_maps(model, frames, index)
            kinds["places"].append(centres(attended_places(maps), maps.grid))
            kinds["times"].append(centres(attended_times(maps), maps.grid))
    positions = torch.from_numpy(np.concatenate(true))
    return {
        index: {name: circular_correlation(torch.cat(parts).flatten(0, 1), positions) for name, parts in kinds.items()}
        for index, kinds in found.items()
    }


def _toy_options(folder):
    """What the set was made with. Raises: UserError: it is none with verbs and nouns."""
    try:
        options = json.loads((folder / "toy.json").read_text())["options"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"DATA.PATH_TO_DATA_DIR: {folder} holds no toy set: {error!r}") from None
    if options.get("kind") != "verb_noun":
        raise UserError(f"DATA.PATH_TO_DATA_DIR: {folder} holds a toy set of another kind than verb_noun")
    return options


def _true_positions(path, options, cfg):
    """Place of the shape at each time step of the validation clip, (T, 2): the mean of its two frames, frame sides."""
    verb, noun, number = re.fullmatch(r"([^_]+)_(.+)_(\d+)", Path(path).stem).groups()
    length, data = options["num_frames"], cfg.DATA
    span = sampling.clip_span(data.NUM_FRAMES, data.SAMPLING_RATE, options["fps"], data.TARGET_FPS)
    start = sampling.middle_clip_start(length, span)
    times = sampling.clip_indices(length, start, span, data.NUM_FRAMES)
    look = clip_look(options["seed"], "val", int(number), NOUNS.index(noun))
    places = shape_positions(verb, look, times).reshape(-1, 2, 2)  # (T, frames of a step, x and y)
    mean = np.exp(2j * np.pi * places).mean(axis=1)  # on the glued frame
    return (np.angle(mean) / (2 * np.pi)) % 1.0


if __name__ == "__main__":
    sys.exit(run_command(main))
