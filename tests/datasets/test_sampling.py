"""Frames of a clip, against numbers that PySlowFast's own functions gave (functional.json)."""

import json

import numpy as np
import pytest

from slowfast.datasets import sampling


@pytest.fixture(scope="module")
def cases(reference_dir):
    sections = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())
    return lambda name: sections[name]["cases"]


def start_of(case, frames, span):
    if case["clip_idx"] == -1:
        return sampling.random_clip_start(frames, span, case["u"])
    return sampling.uniform_clip_start(frames, span, case["clip_idx"], case["num_clips"], reach_end=case["use_offset"])


def test_clip_bounds(cases):
    for case in cases("clip_bounds"):
        start = start_of(case, case["video_size"], case["clip_size"])
        assert start == case["start"], case
        assert start + case["clip_size"] - 1 == case["end"], case


def test_temporal_sampling(cases):
    for case in cases("temporal_sampling"):
        span = case["end"] - case["start"] + 1
        indices = sampling.clip_indices(case["num_frames_in_video"], case["start"], span, case["num_samples"])
        assert indices.tolist() == case["indices"], case
        assert indices.dtype == np.int64


def test_video_clip_indices(cases):
    for case in cases("video_clip_indices"):
        frames = case["num_frames_in_video"]
        span = sampling.clip_span(case["NUM_FRAMES"], case["SAMPLING_RATE"], case["fps"], case["TARGET_FPS"])
        start = start_of(case, frames, span)
        assert [start, start + span - 1] == case["start_end_delta"][:2], case
        assert sampling.clip_indices(frames, start, span, case["NUM_FRAMES"]).tolist() == case["indices"], case


def test_views(cases):
    for case in cases("test_views"):
        views = [[view, *sampling.split_view(view, case["NUM_SPATIAL_CROPS"])] for view, *_ in case["per_view"]]
        assert views == case["per_view"]
        assert len(views) == case["NUM_ENSEMBLE_VIEWS"] * case["NUM_SPATIAL_CROPS"]


def test_without_reference_data():
    """A clip of 5 frames at stride 3 in 100 frames at the target rate, by hand: positions 0, 3.5, 7, 10.5, 14."""
    span = sampling.clip_span(5, 3, fps=30, target_fps=30)
    assert span == 15
    assert sampling.clip_indices(100, 0, span, 5).tolist() == [0, 3, 7, 10, 14]
    assert sampling.clip_span(5, 3, fps=10, target_fps=30) == 5
    assert sampling.clip_span(1, 1, fps=10, target_fps=30) == 1


def test_positions_are_float32():
    """Against the same line in NumPy's float32, counted from both ends as torch.linspace does; float64 would differ."""
    rng = np.random.default_rng(0)
    differs = 0
    for _ in range(3000):
        count = int(rng.integers(2, 33))
        span = count * int(rng.integers(1, 9)) * 29.97 / 30
        start = float(rng.integers(0, 400)) * span / 10
        first, last = np.float32(start), np.float32(start + span - 1)
        step = (last - first) / np.float32(count - 1)
        steps = np.arange(count, dtype=np.float32)
        line = np.where(steps < count // 2, first + step * steps, last - step * steps[::-1])
        got = sampling.clip_indices(10**6, start, span, count)
        assert np.abs(got - line.astype(np.int64)).sum() <= (np.abs(line - line.round()) < 1e-3).sum()
        differs += (got != np.linspace(start, start + span - 1, count).astype(np.int64)).any()
    assert differs > 0


def test_middle_clip():
    """86 = 101 - 15 frames lie outside the clip, half of them before it."""
    assert sampling.middle_clip_start(101, 15) == 43
    assert sampling.middle_clip_start(100, 15) == 42
    assert sampling.middle_clip_start(9, 15) == 0


def test_short_videos_repeat_their_last_frame():
    assert sampling.clip_indices(3, 0, 12, 7).tolist() == [0, 1, 2, 2, 2, 2, 2]
    assert sampling.clip_indices(1, 0, 12, 4).tolist() == [0, 0, 0, 0]


def test_reorder():
    indices = np.array([4, 7, 9, 13, 20])
    assert sampling.reorder(indices, "forward", None) is indices
    assert sampling.reorder(indices, "reversed", None).tolist() == [20, 13, 9, 7, 4]
    shuffled = sampling.reorder(indices, "shuffled", np.random.default_rng(1))
    assert sorted(shuffled) == indices.tolist() and shuffled.tolist() != indices.tolist()


def test_uneven_rates_are_sampled_by_time():
    """By hand: ten frames over 19 s, one a second and then one every three; positions count mean frames of 19 / 9 s."""
    times = np.array([0, 1, 2, 3, 4, 7, 10, 13, 16, 19.0])
    assert sampling.clip_indices(10, 0, 10, 10, times).tolist() == [0, 2, 4, 4, 5, 6, 6, 7, 8, 9]
    assert sampling.clip_indices(10, 3, 3, 2, times + 100).tolist() == [4, 6]
    assert sampling.clip_indices(10, 0, 10, 10).tolist() == list(range(10))


def test_rounded_times_are_even():
    """Milliseconds, as Matroska stores them, of 29.97 frames a second; a dropped frame is no rounding."""
    times = np.round(np.arange(300) / 29.97, 3)
    assert sampling.is_even(times) and sampling.is_even(times[:1]) and sampling.is_even(times[:2])
    assert not sampling.is_even(np.delete(times, 150))


def test_segments(cases):
    """PySlowFast's and XViT's numbers."""
    for case in cases("ssv2_segments"):
        bounds = case["segments"]
        first, last = (
            sampling.segment_indices(case["video_length"], case["NUM_FRAMES"], end) for end in ("start", "end")
        )
        assert [list(pair) for pair in zip(first.tolist(), last.tolist())] == bounds
        if case["mode"] == "train":
            drawn = [
                sampling.segment_indices(
                    case["video_length"], case["NUM_FRAMES"], "random", np.random.default_rng(seed)
                )
                for seed in range(200)
            ]
            assert np.array_equal(np.min(drawn, 0), first) and np.array_equal(np.max(drawn, 0), last)
        else:
            assert sampling.segment_indices(case["video_length"], case["NUM_FRAMES"]).tolist() == case["indices"]
    for case in cases("xvit_ssv2_segments"):
        place = ("middle", "start", "end")[case.get("temporal_view", 0)] if case["mode"] == "test" else "middle"
        if case["mode"] != "train" and case["indices"]:
            assert sampling.segment_indices(case["video_length"], case["NUM_FRAMES"], place).tolist() == case["indices"]
