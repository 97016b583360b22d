#!/usr/bin/env python
"""CPU time of reading clips: this project's readers against decord, torchcodec, a full PyAV decode, and Pillow.

All in one run, one process, one thread, on the same files: 10 s of H.264 at 340 x 256 px with a key frame every 12, 32
and 250 frames, and the same frames as JPEG in an HDF5 pack. A clip is 16 frames with stride 4 from a random start, each
contender opens the file anew for it. Ratios are medians over clips of (ours / theirs), which hold better than times.
"""

import argparse
import io
import json
import platform
import sys
import tempfile
import time
from fractions import Fraction
from importlib import metadata
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import torch
from PIL import Image

from slowfast.datasets.packing.encode import encode_video
from slowfast.datasets.readers import open_reader
from slowfast.utils.io import atomic_write_text

WIDTH, HEIGHT, FPS, LENGTH = 340, 256, 30, 300
KEY_FRAMES = (12, 32, 250)
NUM_FRAMES, STRIDE = 16, 4
JPEG_QUALITY = 90


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--video", help="footage to make the files of, played to and fro; a drawn texture if not given")
    parser.add_argument("--clips", type=int, default=40, help="clips a file")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    return parser.parse_args(argv)


def footage(video):
    """uint8 (LENGTH, HEIGHT, WIDTH, 3)."""
    if video is None:
        rng = np.random.default_rng(0)
        texture = cv2.resize(rng.integers(0, 256, (64, 128, 3), dtype=np.uint8), (2 * LENGTH + WIDTH, LENGTH + HEIGHT))
        frames = [texture[t : t + HEIGHT, 2 * t : 2 * t + WIDTH] for t in range(LENGTH)]
        return np.stack([np.clip(f + rng.normal(0, 4, f.shape), 0, 255).astype(np.uint8) for f in frames])
    with av.open(video) as container:
        frames = [frame.reformat(WIDTH, HEIGHT, "rgb24").to_ndarray() for frame in container.decode(video=0)]
    return np.stack([*frames, *frames[::-1]] * (LENGTH // (2 * len(frames)) + 1))[:LENGTH]


def write_h264(path, frames, key_frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "23", "x264-params": f"keyint={key_frames}"}
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def ours(path, indices):
    with open_reader(path) as reader:
        return reader.get(indices)


def full_decode(path, indices):
    """Every frame decoded, the wanted ones converted, by PyAV alone."""
    wanted, kept = set(indices.tolist()), {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                kept[number] = frame.to_ndarray(format="rgb24")
    return np.stack([kept[number] for number in indices.tolist()])


def by_decord(path, indices):
    import decord

    return decord.VideoReader(str(path), num_threads=1).get_batch(indices).asnumpy()


def by_torchcodec(path, indices):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), num_ffmpeg_threads=1, dimension_order="NHWC")
    return decoder.get_frames_at(indices.tolist()).data.numpy()


def by_pillow(path, indices):
    """The same elements of the pack, decoded by Pillow."""
    with h5py.File(path, "r") as file:
        data = file["frames"][indices.tolist()]
    return np.stack([np.asarray(Image.open(io.BytesIO(picture.tobytes())).convert("RGB")) for picture in data])


def usable(contenders, path):
    """Those that load here; why another does not is printed."""
    kept = {}
    for name, (read, its_path) in contenders.items():
        try:
            read(its_path or path, np.arange(2))
            kept[name] = (read, its_path or path)
        except (ImportError, RuntimeError, OSError) as error:
            print(f"{name} is left out: {str(error).strip().splitlines()[0]}")
    return kept


def measure(contenders, clips, rng):
    """dict name -> float64 (clips,), CPU ms of each clip; the contenders take turns, so load hits all alike."""
    spent = {name: [] for name in contenders}
    for start in rng.integers(0, LENGTH - NUM_FRAMES * STRIDE, clips):
        indices = start + STRIDE * np.arange(NUM_FRAMES)
        for name, (read, path) in contenders.items():
            begin = time.process_time()
            read(path, indices)
            spent[name].append(1000 * (time.process_time() - begin))
    return {name: np.array(times) for name, times in spent.items()}


def row(label, subject, times):
    """One line of the result: medians in ms, and of the ratios to the subject."""
    ratios = {name: float(np.median(times[subject] / other)) for name, other in times.items() if name != subject}
    medians = {name: float(np.median(values)) for name, values in times.items()}
    print(f"{label:<22}" + "".join(f"{name} {value:.1f} ms  " for name, value in medians.items()))
    print(" " * 22 + "".join(f"{subject}/{name} {value:.3f}  " for name, value in ratios.items()))
    return {"file": label, "ms": medians, "ratios": ratios}


def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def main(argv=None):
    args = parse_args(argv)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    frames, rng, rows = footage(args.video), np.random.default_rng(1), []
    with tempfile.TemporaryDirectory() as folder:
        for key_frames in KEY_FRAMES:
            path = Path(folder) / f"{key_frames}.mp4"
            write_h264(path, frames, key_frames)
            found = usable(
                {
                    "ours": (ours, None),
                    "full decode": (full_decode, None),
                    "decord": (by_decord, None),
                    "torchcodec": (by_torchcodec, None),
                },
                path,
            )
            rows.append(row(f"key frame every {key_frames}", "ours", measure(found, args.clips, rng)))
        pack = Path(folder) / "pack.h5"
        task = {"path": str(path), "part": str(pack), "short_side": None, "quality": JPEG_QUALITY, "fps": None}
        encode_video(task, lambda seconds: None)
        found = {"hdf5": (ours, pack), "full decode": (full_decode, path), "pillow": (by_pillow, pack)}
        rows.append(row("HDF5, JPEG 90", "hdf5", measure(found, args.clips, rng)))
    names = ("av", "decord", "torchcodec", "h5py", "simplejpeg", "pillow", "numpy")
    result = {
        "rows": rows,
        "clips": args.clips,
        "versions": {name: version(name) for name in names},
        "machine": platform.processor() or platform.machine(),
    }
    if args.out:
        atomic_write_text(args.out, json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
