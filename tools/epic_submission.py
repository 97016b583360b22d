#!/usr/bin/env python
"""EPIC-KITCHENS-100's submission from a test run: python tools/epic_submission.py OUTPUT_DIR/predictions.npz OUT.zip

Writes OUT.zip with test.json in the challenge's format 0.2, or OUT.json. The run's list must have narration ids, as the
official ones do: DATA.PATH_TO_DATA_DIR with EPIC_100_test_timestamps.csv, or EPIC_100_validation.csv for a rehearsal.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

from slowfast.evaluation.verb_noun import submission
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write, atomic_write_text

LEVELS = {  # of supervision, 0 to 5: https://github.com/epic-kitchens/sls
    "sls_pt": (5, "pre-training; CLIP's images and texts are not public: 5"),
    "sls_tl": (3, "training labels; start and stop times: 3"),
    "sls_td": (3, "training data; the training split: 3, with the validation split: 4"),
}


def parse_args(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, metavar="predictions.npz")
    parser.add_argument("out", type=Path, metavar="OUT.zip", help="or OUT.json")
    parser.add_argument("--logits", action="store_true", help="the run had TEST.SCORES logits")
    for name, (level, meaning) in LEVELS.items():
        parser.add_argument(f"--{name}", type=int, choices=range(6), default=level, help=meaning)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    if args.out.suffix not in (".zip", ".json"):
        raise UserError(f"{args.out}: name a .zip, which the challenge takes, or a .json")
    levels = {name: getattr(args, name) for name in LEVELS}
    scores, clip_ids, heads = _read(args.predictions)
    content = submission(scores, clip_ids, heads, probabilities=not args.logits, levels=levels)
    text = json.dumps(content)
    if args.out.suffix == ".json":
        atomic_write_text(args.out, text)
    else:
        atomic_write(args.out, lambda file: _zip(file, text))
    print(f"{args.out}: {len(clip_ids)} clips, {heads[0]} verbs, {heads[1]} nouns, {levels}")
    return EXIT_DONE


def _read(path):
    """scores (V, verbs + nouns), clip ids, (verbs, nouns)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in ("scores", "head_classes", "clip_ids") if name in stored}
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if missing := [name for name in ("scores", "head_classes", "clip_ids") if name not in arrays]:
        raise UserError(
            f"{path} has no {', '.join(missing)}: it must come from a test with TASK verb_noun whose list has a "
            "column narration_id"
        )
    return arrays["scores"], arrays["clip_ids"], tuple(arrays["head_classes"].tolist())


def _zip(file, text):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("test.json", text)


if __name__ == "__main__":
    sys.exit(run_command(main))
