"""Write the toy data set: eight motions of a textured shape as H.264 files, with Kinetics-format lists."""

import argparse
import csv
import fcntl
import hashlib
import io
import json
import os
import shutil
import sys
from pathlib import Path

import av
from tqdm import tqdm

from slowfast.datasets.toy import CLASSES, DRAWING, MIN_SIZE, draw_clip, draw_look
from slowfast.utils.errors import EXIT_DONE, EXIT_USAGE, UserError
from slowfast.utils.io import atomic_write_text, sha256_file
from slowfast.utils.rng import numpy_rng

SPLITS = ("train", "val")  # folders; the test list is the val list
LISTS = ("train.csv", "val.csv", "test.csv", "classes.txt")
MARKER = "toy.json"  # options and the hash of every file, written last: without it the set is half-written
LOCK = ".lock"
KEY_FRAME_INTERVAL = 12  # frames; a reader that seeks decodes at most this many for nothing


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="A complete set with the same options is kept; a half-written one is made anew.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the set", default=argparse.SUPPRESS)
    parser.add_argument("--train_per_class", type=int, default=60, help="training clips a class")
    parser.add_argument("--val_per_class", type=int, default=20, help="validation clips a class; also the test list")
    parser.add_argument("--size", type=int, default=64, help="side of the square frame in px, even")
    parser.add_argument("--num_frames", type=int, default=24, help="frames a clip")
    parser.add_argument("--fps", type=int, default=12, help="frames a second")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes")
    parser.add_argument("--overwrite", action="store_true", help="replace a complete toy set made with other options")
    args = parser.parse_args(argv)
    lowest = {"train_per_class": 1, "val_per_class": 1, "size": MIN_SIZE, "num_frames": 2, "fps": 1}
    for name, bound in lowest.items():
        if getattr(args, name) < bound:
            parser.error(f"--{name} is {getattr(args, name)}; it must be at least {bound}")
    if args.size % 2:
        parser.error(f"--size is {args.size}; H.264 needs an even number of px")
    return args


def make_toy_dataset(out, *, overwrite=False, **options):
    """Make the set in folder `out` unless it is there already.

    Args:
        out: folder; missing, empty, or a toy set (complete or not).
        overwrite: replace a complete set made with other options.
        options: train_per_class, val_per_class (clips), size (px), num_frames, fps, seed.
    Returns: True if the set was made, False if a complete one with the same options was kept.
    Raises: UserError: the folder holds something else, or cannot be written.
    """
    out = Path(out)
    options = {**options, "drawing": DRAWING}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with open(out / LOCK, "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits, then keeps what the first one made
            if not _must_make(out, options, overwrite):
                return False
            _clear(out)
            _write_set(out, options)
    except OSError as error:
        raise UserError(
            f"--out {out}: cannot be written ({error.strerror or error}). Choose another folder."
        ) from error
    return True


def encode(frames, fps):
    """H.264 in mp4 as bytes, the same for the same frames: one thread, no date, no random ids.

    Args:
        frames: uint8 (T, H, W, 3), RGB; H and W even.
        fps: frames a second, an integer.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        settings = {"crf": "18", "preset": "fast", "threads": "1", "g": str(KEY_FRAME_INTERVAL)}
        stream = container.add_stream("libx264", rate=fps, options=settings)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def _must_make(out, options, overwrite):
    """Look at what the folder holds: nothing or a half-written set -> True, the same complete set -> False."""
    foreign = sorted({entry.name for entry in out.iterdir()} - {*SPLITS, *LISTS, MARKER, LOCK})
    if foreign:
        raise UserError(f"--out {out}: holds {foreign[0]!r}, which is no part of a toy set. Choose another folder.")
    try:
        marker = json.loads((out / MARKER).read_text())
        complete = all((out / name).is_file() and sha256_file(out / name) == h for name, h in marker["files"].items())
        found = marker["options"]
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return True
    if found == options:
        return not complete
    if complete and not overwrite:
        different = ", ".join(f"{k} {found.get(k)} (asked for {v})" for k, v in options.items() if found.get(k) != v)
        raise UserError(f"--out {out}: holds a toy set with {different}. Add --overwrite or choose another folder.")
    return True


def _clear(out):
    for name in (MARKER, *LISTS):
        (out / name).unlink(missing_ok=True)
    for split in SPLITS:
        if (out / split).exists():
            shutil.rmtree(out / split)


def _write_set(out, options):
    """Write clips, lists, marker, in this order. Clip i of every class shares its look: the classes are twins."""
    files, rows = {}, {}
    total = len(CLASSES) * (options["train_per_class"] + options["val_per_class"])
    with tqdm(total=total, unit="clip", desc=str(out), disable=None) as progress:
        for split in SPLITS:
            rows[split] = []
            for index in range(options[f"{split}_per_class"]):
                look = draw_look(numpy_rng(options["seed"], "toy", split, index))
                for label, motion in enumerate(CLASSES):
                    path = f"{split}/{motion}/{motion}_{index:04d}.mp4"
                    data = encode(draw_clip(motion, look, options["num_frames"], options["size"]), options["fps"])
                    (out / path).parent.mkdir(parents=True, exist_ok=True)
                    (out / path).write_bytes(data)
                    files[path] = hashlib.sha256(data).hexdigest()
                    rows[split].append((path, label))
                    progress.update()
    rows["test"] = rows["val"]
    for name, text in [*((f"{s}.csv", _csv(r)) for s, r in rows.items()), ("classes.txt", "\n".join(CLASSES) + "\n")]:
        atomic_write_text(out / name, text)
        files[name] = hashlib.sha256(text.encode()).hexdigest()
    atomic_write_text(out / MARKER, json.dumps({"options": options, "files": files}, indent=1) + "\n")


def _csv(rows):
    text = io.StringIO()
    csv.writer(text, delimiter=" ", lineterminator="\n").writerows(rows)
    return text.getvalue()


def main(argv=None):
    options = vars(parse_args(argv))
    out = options.pop("out")
    try:
        made = make_toy_dataset(out, **options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE
    clips = f"{len(CLASSES)} classes, {options['train_per_class']} train + {options['val_per_class']} val clips a class"
    print(f"{'made' if made else 'kept, already complete'}: {os.path.join(out, '')} ({clips})")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
