#!/usr/bin/env python
"""Write the toy data set: eight motions of a textured shape as H.264 files, with lists in the Kinetics format.

--kind verb_noun: two motions of twelve shapes, two outlines in six colours, with lists of video, verb, noun as
EPIC-KITCHENS-100 has them, and under nouns/ lists of the nouns alone in the Kinetics format.
"""

import argparse
import contextlib
import fcntl
import hashlib
import io
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import av
from tqdm import tqdm

from slowfast.datasets.toy import CLASSES, DRAWING, MIN_SIZE, NOUN_DRAWING, NOUNS, VERBS, clip_look, draw_clip
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import EXIT_DONE, UserError
from slowfast.utils.io import atomic_write_text, sha256_file

SPLITS = ("train", "val")  # folders; the test list is the val list
NOUN_LISTS = "nouns"  # folder of --kind verb_noun
LISTS = ("train.csv", "val.csv", "test.csv", "classes.txt")
MARKER = "toy.json"  # written first: the folder is ours; again at the end: with the hash of every file
LOCK = ".lock"
KEY_FRAME_INTERVAL = 12  # frames; a reader that seeks decodes fewer than this in vain
MOTION, VERB_NOUN = KINDS = ("motion", "verb_noun")
LOWEST = {"train_per_class": 1, "val_per_class": 1, "size": MIN_SIZE, "num_frames": 2, "fps": 1}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="A complete set with the same options is kept; a half-written one is made anew.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, required=True, default=argparse.SUPPRESS, help="folder of the set")
    parser.add_argument("--kind", choices=KINDS, default=MOTION, help="what the labels are")
    parser.add_argument("--train_per_class", type=int, default=60, help="training clips a class")
    parser.add_argument("--val_per_class", type=int, default=20, help="validation clips a class; also the test list")
    parser.add_argument("--size", type=int, default=64, help="side of the square frame in px, even")
    parser.add_argument("--num_frames", type=int, default=24, help="frames a clip")
    parser.add_argument("--fps", type=int, default=12, help="frames a second")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same bytes")
    parser.add_argument("--overwrite", action="store_true", help="replace a complete toy set made with other options")
    args = parser.parse_args(argv)
    for name, bound in LOWEST.items():
        if getattr(args, name) < bound:
            parser.error(f"--{name} is {getattr(args, name)}; it must be at least {bound}")
    if args.size % 2:
        parser.error(f"--size is {args.size}; H.264 needs an even number of px")
    return args


def make_toy_dataset(out, *, overwrite=False, **options):
    """Make the set in folder `out` unless it is there already.

    Args:
        out: folder; missing, empty, or a toy set, complete or not.
        overwrite: replace a complete set made with other options.
        options: kind, train_per_class, val_per_class (clips), size (px), num_frames, fps, seed.
    Returns: what was done: "made", "made anew, it was incomplete", "replaced" or "kept, it is complete".
    Raises: UserError: the folder holds something else or cannot be written, or H.264 cannot be encoded here.
    """
    if "libx264" not in av.codecs_available:
        raise UserError(f"PyAV {av.__version__} has no libx264 here. Install PyAV's own wheel: pip install av")
    out, options = Path(out), {**options, "drawing": NOUN_DRAWING if options.get("kind") == VERB_NOUN else DRAWING}
    if options.get("kind") == MOTION:
        del options["kind"]  # a marker without it, from before there were kinds, means this one
    try:
        outcome = _plan(out, options, overwrite)
        if not outcome.startswith("kept"):
            out.mkdir(parents=True, exist_ok=True)
            with _locked(out):
                outcome = _plan(out, options, overwrite)  # another run may have made it meanwhile
                if not outcome.startswith("kept"):
                    _clear(out)
                    _write_set(out, options)
    except OSError as error:
        raise UserError(
            f"--out {out}: cannot be written ({error.strerror or error}). Choose another folder or mend this one."
        ) from error
    return outcome


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


def _plan(out, options, overwrite):
    """What is to be done with the folder: see `make_toy_dataset`, Returns."""
    if not out.exists() or not any(entry.name != LOCK for entry in out.iterdir()):
        return "made"
    try:
        marker = json.loads((out / MARKER).read_text())
        files, found = dict(marker["files"]), dict(marker["options"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise UserError(
            f"--out {out}: is not empty and holds no toy set ({MARKER} is missing or of another kind). "
            "Choose another folder."
        ) from None
    if not files or not all((out / name).is_file() and sha256_file(out / name) == h for name, h in files.items()):
        return "made anew, it was incomplete"
    if found == options:
        return "kept, it is complete"
    if not overwrite:
        different = ", ".join(f"{k} {found.get(k)} (asked for {v})" for k, v in options.items() if found.get(k) != v)
        raise UserError(f"--out {out}: holds a toy set with {different}. Add --overwrite or choose another folder.")
    return "replaced"


@contextlib.contextmanager
def _locked(out):
    """A second run in the same folder waits for the first."""
    with open(out / LOCK, "w") as lock:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _clear(out):
    for name in LISTS:
        (out / name).unlink(missing_ok=True)
    for split in (*SPLITS, NOUN_LISTS):
        if (out / split).exists():
            shutil.rmtree(out / split)


@dataclass(frozen=True)
class ToyClass:
    """One class of clips: its folder, its motion, a noun or None for whatever shape the look has, its list entry."""

    folder: str
    motion: str
    noun: int | None
    entry: str  # what follows a clip's path in a list


def _classes(options):
    """(list of ToyClass, names of the labels)."""
    if options.get("kind", MOTION) == MOTION:
        return [ToyClass(motion, motion, None, f" {label}") for label, motion in enumerate(CLASSES)], CLASSES
    pairs = [(verb, noun) for verb in range(len(VERBS)) for noun in range(len(NOUNS))]
    classes = [ToyClass(f"{VERBS[v]}_{NOUNS[n]}", VERBS[v], n, f",{v},{n}") for v, n in pairs]
    return classes, (*VERBS, *NOUNS)


def _write_set(out, options):
    """Write clips and lists between two markers. Clip i of every motion shares its look: the motions are twins."""
    _write_marker(out, options, files={})
    files, rows, nouns = {}, {}, {}
    classes, names = _classes(options)
    total = len(classes) * (options["train_per_class"] + options["val_per_class"])
    with tqdm(total=total, unit="clip", desc=str(out), disable=None) as progress:
        for split in SPLITS:
            rows[split], nouns[split] = [], []
            for kind in classes:
                (out / split / kind.folder).mkdir(parents=True)
            for index in range(options[f"{split}_per_class"]):
                for kind in classes:
                    look = clip_look(options["seed"], split, index, kind.noun)
                    path = f"{split}/{kind.folder}/{kind.folder}_{index:04d}.mp4"
                    frames = draw_clip(kind.motion, look, range(options["num_frames"]), options["size"])
                    data = encode(frames, options["fps"])
                    (out / path).write_bytes(data)
                    files[path] = hashlib.sha256(data).hexdigest()
                    rows[split].append(f"{path}{kind.entry}\n")
                    nouns[split].append(f"{path} {kind.noun}\n")
                    progress.update()
    _write_lists(out, rows, [f"{name}\n" for name in names], files)
    if options.get("kind") == VERB_NOUN:
        (out / NOUN_LISTS).mkdir()
        _write_lists(out, nouns, [f"{name}\n" for name in NOUNS], files, f"{NOUN_LISTS}/")
    _write_marker(out, options, files)


def _write_lists(out, rows, names, files, folder=""):
    """The lists of a folder, the test's being the validation's; their hashes go to `files`."""
    texts = {"train.csv": rows["train"], "val.csv": rows["val"], "test.csv": rows["val"], "classes.txt": names}
    for name, lines in texts.items():
        atomic_write_text(out / folder / name, "".join(lines))
        files[folder + name] = sha256_file(out / folder / name)


def _write_marker(out, options, files):
    atomic_write_text(out / MARKER, json.dumps({"options": options, "files": files}, indent=1) + "\n")


def main(argv=None):
    options = vars(parse_args(argv))
    out = options.pop("out")
    outcome = make_toy_dataset(out, **options)
    classes = len(_classes(options)[0])
    clips = f"{options['train_per_class']} train and {options['val_per_class']} val clips in each of {classes} classes"
    print(f"{outcome}: {out}, {clips}")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
