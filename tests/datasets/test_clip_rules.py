"""Rules of frames against numbers that the published codes gave (frame_sampling_a.json, functional.json)."""

import json

import numpy as np
import pytest

from slowfast.config import get_cfg
from slowfast.datasets.clip_rules import RULES, build_rule


class Video:
    """A video of so many frames; without a rate, as most lists leave it."""

    fps = None
    timestamps = None

    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return self.frames


@pytest.fixture(scope="module")
def facts(reference_dir):
    return json.loads((reference_dir / "parity/frame_sampling_a.json").read_text())


def rng(seed=0):
    return np.random.default_rng(seed)


def test_dense_and_segment_views(facts):
    for case in facts["segment_and_dense"]:
        rule = RULES["videomae_dense" if "sampling_rate" in case else "videomae_segments"]()
        for view in case["views"]:
            place = (view["temporal_view"], case["temporal_views"])
            got = rule.view(Video(case["video_frames"]), case["num_frames"], case.get("sampling_rate"), *place)
            assert got.tolist() == view["frames"] and got.dtype == np.int64, case["protocol"]


def test_xvit(facts):
    segments, clips = RULES["slowfast_segments"](), RULES["slowfast"]()
    for case in facts["xvit_segment"]:
        video = Video(case["video_frames"])
        assert segments.middle(video, case["num_frames"], None).tolist() == case["validation"]
        views = [segments.view(video, case["num_frames"], None, clip, 3).tolist() for clip in range(3)]
        assert views == case["test_views"]
    for case in facts["xvit_dense"]:
        size = (case["num_frames"], case["sampling_rate"])
        views = [
            clips.view(Video(case["video_frames"]), *size, n, case["views"]).tolist() for n in range(case["views"])
        ]
        assert views == case["test_views"]


def test_eva(facts):
    rule = RULES["eva"]()
    for case in facts["eva_test"]:
        video, size = Video(case["video_frames"]), (case["num_frames"], None)
        assert rule.view(video, *size, 0, 1).tolist() == case["frames"] == rule.middle(video, *size).tolist()
        assert np.array_equal(rule.view(video, *size, 2, 4, rng(5)), rule.train(video, *size, rng(5)))


def test_two_clips_of_segments_share_out_the_frames():
    """By hand from the notes: floor(tick / 2 + tick * i) and floor(tick * i), merged, sorted, every second."""
    rule = RULES["videomae_segments"]()
    for frames, count in ((23, 5), (100, 8), (7, 16)):
        tick = frames / count
        merged = sorted(int(tick / 2 * half + tick * i) for i in range(count) for half in (0, 1))
        for clip in range(2):
            assert rule.view(Video(frames), count, None, clip, 2).tolist() == merged[clip::2]


def test_training_on_segments():
    """A frame of each of 4 segments of 25 // 4 = 6 frames, every one of them; the 25th never."""
    rule = RULES["videomae_segments"]()
    drawn = np.array([rule.train(Video(25), 4, None, rng(seed)) for seed in range(300)])
    for segment in range(4):
        assert set(drawn[:, segment]) == set(range(6 * segment, 6 * segment + 6))
    short = np.array([rule.train(Video(3), 8, None, rng(seed)) for seed in range(50)])
    assert (np.diff(short) >= 0).all() and (short.min(0)[0], short.max(0)[-1]) == (0, 2)


def test_training_on_dense_clips():
    """Windows of 3 * 4 = 12 of 30 frames end at 12 to 29; linspace(0, 12, 3) by hand is 0, 6, 12, clipped to 11."""
    rule = RULES["videomae_dense"]()
    drawn = [rule.train(Video(30), 3, 4, rng(seed)).tolist() for seed in range(300)]
    assert {tuple(clip) for clip in drawn} == {(s, s + 6, s + 11) for s in range(18)}
    assert rule.train(Video(9), 4, 4, rng()).tolist() == [0, 8, 8, 8]  # 9 // 4 = 2 positions: 0 and 9, clipped
    assert rule.train(Video(2), 4, 4, rng()).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("name", sorted(RULES))
@pytest.mark.parametrize("frames", [1, 5, 16, 97])
def test_any_number_of_views_lies_in_the_video(name, frames):
    rule = RULES[name]()
    for num_clips in (1, 2, 3, 4, 7):
        views = [rule.view(Video(frames), 6, 3, clip, num_clips, rng(clip)) for clip in range(num_clips)]
        for indices in (*views, rule.middle(Video(frames), 6, 3), rule.train(Video(frames), 6, 3, rng())):
            assert indices.shape == (6,) and indices.dtype == np.int64
            assert indices.min() >= 0 and indices.max() < frames and (np.diff(indices) >= 0).all()
        if frames == 97:
            assert len({tuple(view) for view in views}) == num_clips


def test_built_by_name():
    cfg = get_cfg()
    assert type(build_rule(cfg, "charades")) is RULES["charades"]
    cfg.DATA.TARGET_FPS, cfg.DATA.USE_OFFSET_SAMPLING = 12, True
    assert build_rule(cfg) == RULES["slowfast"](12, True)
    cfg.DATA.SAMPLING = "eva"
    assert type(build_rule(cfg, "charades")) is RULES["eva"]
