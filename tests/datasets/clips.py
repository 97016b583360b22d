"""Small videos made for a test, and a full decode to compare with: PyAV alone, none of the project's readers."""

from fractions import Fraction

import av
import cv2
import numpy as np


def moving_texture(num_frames, height, width, seed=0):
    """uint8 (T, H, W, 3): a smooth coloured texture that moves 3 px right and 2 px down a frame."""
    rng = np.random.default_rng(seed)
    size = (height + 2 * num_frames, width + 3 * num_frames)
    texture = cv2.resize(rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8), size[::-1])
    return np.stack([texture[2 * t : 2 * t + height, 3 * t : 3 * t + width] for t in range(num_frames)])


def write_video(
    path, frames, codec="libx264", *, fps=30, times=None, gop=None, max_b_frames=None, pix_fmt="yuv420p", **options
):
    """Encode uint8 (T, H, W, 3).

    Args:
        times: when each frame is shown, in frames of 1 / fps; None = evenly.
        gop, max_b_frames: frames between key frames, and B-frames in a row, for encoders without options of their own.
        options: of the encoder, "_" standing for "-".
    """
    options = {name.replace("_", "-"): str(value) for name, value in options.items()}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        stream.codec_context.time_base = Fraction(1, fps)
        if gop is not None:
            stream.codec_context.gop_size = gop
        if max_b_frames is not None:
            stream.codec_context.max_b_frames = max_b_frames
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def x264(**params):
    """The option that hands parameters to libx264: key frames only where asked for."""
    given = {"scenecut": 0, **params}
    return {"x264_params": ":".join(f"{name.replace('_', '-')}={value}" for name, value in given.items())}


def decode_all(path, keep=None):
    """(number of frames, {frame: uint8 (H, W, 3)}) of a decode from end to end; `keep` None = all."""
    pixels, count = {}, 0
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "SLICE"
        for count, frame in enumerate(container.decode(video=0), start=1):
            if keep is None or count - 1 in keep:
                pixels[count - 1] = frame.to_ndarray(format="rgb24")
    return count, pixels
