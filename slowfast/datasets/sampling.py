"""Which frames of a video make a clip: pure functions of numbers; nothing is drawn or read here.

A position is a frame number that may have a fraction; a span is the number of frames that a clip covers in the video.
Source of the formulas, where none is named: PySlowFast's clip sampling; its numbers are in tests/datasets.
"""

import math

import numpy as np
import torch

_ROUNDING = 1e-4  # frames; a float32 position may lie this far below the frame that is meant
CENTRE = 1  # number of the crop in the middle; 0 is left or top, 2 right or bottom


def clip_span(num_frames, sampling_rate, fps, target_fps):
    """Source frames that a clip covers, float >= 1: the time of num_frames * sampling_rate frames at `target_fps`.

    Args:
        num_frames: frames of a clip, DATA.NUM_FRAMES.
        sampling_rate: stride in frames at `target_fps`, DATA.SAMPLING_RATE.
        fps: frames a second of the video.
        target_fps: DATA.TARGET_FPS.
    """
    return max(1.0, sampling_rate * num_frames / target_fps * fps)


def random_clip_start(video_frames, span, u):
    """Position of a training clip's first frame, for `u` uniform in [0, 1)."""
    return u * max(video_frames - span, 0)


def uniform_clip_start(video_frames, span, clip, num_clips, *, reach_end=False):
    """Position of the first frame of test clip `clip`, spread evenly over the video.

    Args:
        video_frames: length of the video in frames; >= 1.
        span: see `clip_span`.
        clip: in [0, num_clips).
        num_clips: TEST.NUM_ENSEMBLE_VIEWS.
        reach_end: DATA.USE_OFFSET_SAMPLING. False: the last clip ends before the video does. True: whole frame
            numbers, from the video's start to its end; a single clip lies in the middle.
    """
    room = max(video_frames - span, 0)
    if not reach_end:
        return room * clip / num_clips
    if num_clips == 1:
        return math.floor(room / 2)
    return clip * math.floor(room / (num_clips - 1))


def middle_clip_start(video_frames, span):
    """Position of a validation clip's first frame."""
    return uniform_clip_start(video_frames, span, 0, 1, reach_end=True)


def clip_indices(video_frames, start, span, num_frames, timestamps=None):
    """Frame numbers of a clip, int64 array (num_frames,), evenly from `start` to `start + span - 1` (inclusive).

    Positions beyond the video repeat its first or last frame. They are computed in float32 and truncated, as the
    source does: in float64 some frames would be others.

    Args:
        timestamps: float64 (video_frames,), when each frame is shown, in seconds. Where the rate varies, positions
            count mean frame durations, and the frame on show at that time is taken. None: an even rate.
    """
    positions = torch.linspace(start, start + span - 1, num_frames, dtype=torch.float32).clamp(0, video_frames - 1)
    if timestamps is None or is_even(timestamps):
        return positions.to(torch.int64).numpy()
    frame_s = (timestamps[-1] - timestamps[0]) / (video_frames - 1)
    seconds = timestamps[0] + (positions.numpy().astype(np.float64) + _ROUNDING) * frame_s
    return np.searchsorted(timestamps, seconds, side="right") - 1


def is_even(timestamps):
    """Is each frame shown within half a frame of where an even rate would show it?

    Containers round times (to milliseconds in Matroska), so equal gaps are not asked for.
    """
    steps = len(timestamps) - 1
    if steps < 2:
        return True
    even = np.linspace(timestamps[0], timestamps[-1], steps + 1)
    return bool(np.abs(timestamps - even).max() < 0.5 * (timestamps[-1] - timestamps[0]) / steps)


def segment_indices(video_frames, num_frames, place="middle", rng=None):
    """One frame from each of `num_frames` equal segments of the video, int64 array (num_frames,).

    Args:
        place: "middle", "start" or "end" of each segment, or a share of its length in [0, 1]; "random" draws the frame,
            both ends included.
        rng: numpy Generator, for "random".
    Source: PySlowFast's Something-Something sampling; "start" and "end" are XViT's second and third test clip.
    """
    bounds = np.round(np.arange(num_frames + 1) * ((video_frames - 1) / num_frames)).astype(np.int64)  # half to even
    first, last = bounds[:-1], bounds[1:]
    if place == "random":
        return rng.integers(first, last, endpoint=True)
    share = {"middle": 0.5, "start": 0.0, "end": 1.0}.get(place, place)
    return np.floor(first + (last - first) * share).astype(np.int64)


def segment_place(clip):
    """Share of each segment at which test clip `clip` takes its frame: middle, start, end, then ever finer in between.

    So every further clip sees frames that the ones before it have not seen, however many there are. The first three
    are XViT's.
    """
    if clip < 3:
        return (0.5, 0.0, 1.0)[clip]
    level = (clip - 1).bit_length()  # clips 3 and 4 lie at odd quarters, 5 to 8 at odd eighths, ...
    return (2 * (clip - 2 ** (level - 1) - 1) + 1) / 2**level


def spread_indices(video_frames, num_frames, clip, num_clips):
    """Test clip `clip` of `num_clips` that share out the frames of equal segments, int64 array (num_frames,).

    Of num_frames * num_clips frames at even distances, every num_clips-th from the clip-th on; one clip alone takes
    the middle of each segment.
    Source: VideoMAE's and CAST's Something-Something and EPIC test, where there are two clips.
    """
    tick = video_frames / num_frames
    offset = tick / 2 if num_clips == 1 else tick * clip / num_clips
    return np.floor(offset + tick * np.arange(num_frames)).astype(np.int64)


def random_segment_indices(video_frames, num_frames, rng):
    """A random frame from each of `num_frames` segments of video_frames // num_frames frames, int64 (num_frames,).

    What is left at the video's end is never drawn. Of a video with fewer frames than that, one from each of as many
    equal stretches of time: the source repeats its first frame, which shows nothing of it.
    Source: VideoMAE's, CAST's and EVA's training on segments.
    """
    length = video_frames // num_frames
    if length == 0:
        return np.floor((np.arange(num_frames) + rng.random(num_frames)) * video_frames / num_frames).astype(np.int64)
    return np.arange(num_frames) * length + rng.integers(0, length, num_frames)


def dense_view_indices(video_frames, sampling_rate, num_frames, clip, num_clips):
    """Test clip `clip` of `num_clips` over every sampling_rate-th frame of the video, int64 array (num_frames,).

    The last of these frames is repeated where there are too few. One clip alone lies in the middle.
    Source: VideoMAE's and CAST's Kinetics test.
    """
    frames = np.arange(0, video_frames, sampling_rate, dtype=np.int64)
    room = max(len(frames) - num_frames, 0)
    start = room // 2 if num_clips == 1 else math.floor(clip * room / (num_clips - 1))
    return frames[np.minimum(start + np.arange(num_frames), len(frames) - 1)]


def random_dense_indices(video_frames, sampling_rate, num_frames, rng):
    """A training clip of consecutive frames, every sampling_rate-th or a little more apart, int64 (num_frames,).

    A window of num_frames * sampling_rate frames with a random end, both of its ends among the positions; of a shorter
    video video_frames // sampling_rate frames from end to end, the last one repeated.
    Source: VideoMAE's and CAST's training on Kinetics.
    """
    window = num_frames * sampling_rate
    if video_frames <= window:
        count = max(video_frames // sampling_rate, 1)
        positions = np.append(np.linspace(0, video_frames, count), np.full(num_frames - count, video_frames))
        return np.clip(positions, 0, video_frames - 1).astype(np.int64)
    end = int(rng.integers(window, video_frames))
    positions = np.linspace(end - window, end, num_frames)
    return np.clip(positions, end - window, end - 1).astype(np.int64)


def strided_indices(video_frames, start, stride, num_frames):
    """Every `stride`-th frame from `start` on, int64 array (num_frames,); beyond the video its first or last frame.

    Source: PySlowFast's Charades sampling.
    """
    return np.clip(start + stride * np.arange(num_frames, dtype=np.int64), 0, video_frames - 1)


def split_view(view, num_crops):
    """View number of a test video -> (clip, crop): crop 0, 1, 2 = left, centre, right; top, centre, bottom where the
    picture is higher than wide.

    Args:
        view: in [0, clips * num_crops); the crops of a clip follow each other.
        num_crops: TEST.NUM_SPATIAL_CROPS; a single crop is the centre.
    """
    clip, crop = divmod(view, num_crops)
    return clip, crop if num_crops > 1 else CENTRE


def reorder(indices, frame_order, rng):
    """Frame numbers in the order that TEST.FRAME_ORDER asks for.

    Args:
        indices: array (T,).
        frame_order: "forward", "reversed" or "shuffled".
        rng: numpy Generator; drawn from only for "shuffled".
    """
    if frame_order == "reversed":
        return indices[::-1]
    if frame_order == "shuffled":
        return rng.permutation(indices)
    return indices
