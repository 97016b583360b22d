#!/usr/bin/env python
"""Put a selector and the experts of all groups together as one TSTL over one trunk:
python projects/cast/import_experts.py --cfg FILE --selector FILE --experts FILE FILE ... KEY VALUE ...

A member is a whole CAST checkpoint with one head, wherever it was made, or a run of stage 1 or 2. Says for each what of
it differs from the trunk, and keeps that beside the trunk. The trunk is that of TRAIN.CHECKPOINT_FILE_PATH, a whole
CAST checkpoint, or of CAST.CLIP_PATH and CAST.VIDEOMAE_PATH; with all of them empty that of the selector's file. Writes
a file for TEST.CHECKPOINT_FILE_PATH; a test takes the trunk from where this command had it, or from --whole.
"""

import argparse
import sys
from pathlib import Path

from projects.cast.tstl.assembly import fill_trunk, find_experts, put_in, run_file, write_tstl
from projects.cast.tstl.groups import read_groups
from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, ConfigError
from slowfast.weights import frozen_digest


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML of the whole, with MODEL.MODEL_NAME TSTL")
    parser.add_argument("--selector", required=True, metavar="PATH", help="checkpoint, or folder of a run")
    parser.add_argument(
        "--experts", required=True, nargs="+", metavar="PATH", help="as many as groups; or the folder of expert_NN"
    )
    parser.add_argument("--out", default="", metavar="FILE", help="default: OUTPUT_DIR/tstl.pyth")
    parser.add_argument(
        "--whole", action="store_true", help="keep the trunk in the file, so that a test needs no other"
    )
    args, overrides = parser.parse_known_args(argv)
    args.experts, overrides = _split(args.experts, overrides)
    cfg = load_cfg(args.cfg, overrides)
    if cfg.MODEL.MODEL_NAME != "TSTL":
        raise ConfigError(f"MODEL.MODEL_NAME: got '{cfg.MODEL.MODEL_NAME}', expected TSTL")
    model = build_model(cfg)
    groups = read_groups(cfg.TSTL.GROUPS_PATH, cfg.MODEL.NUM_CLASSES)
    files = [run_file(args.selector), *find_experts(args.experts, groups.num_groups)]
    for text in fill_trunk(model, cfg, files[0]):
        print(text)
    places = ["selector", *(f"experts.{number}" for number in range(groups.num_groups))]
    reports = []
    for place, path in zip(places, files):
        reports.append(put_in(model, place, path))
        print(reports[-1])
    out = Path(args.out or Path(cfg.OUTPUT_DIR) / "tstl.pyth")
    size = write_tstl(model, out, groups, reports, whole=args.whole)
    print(f"{out}: {groups.num_groups} experts and the selector, {size / 2**20:.1f} MiB")
    print(f"trunk {frozen_digest(model)}")
    return EXIT_DONE


def _split(words, overrides):
    """(paths, overrides): argparse gives --experts every following word; a KEY VALUE pair begins with capitals."""
    is_key = [word.isupper() and "/" not in word for word in words]
    end = is_key.index(True) if True in is_key else len(words)
    return words[:end], words[end:] + overrides


if __name__ == "__main__":
    sys.exit(run_command(main))
