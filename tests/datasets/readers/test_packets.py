"""Which packets to decode for which frames; expected plans worked out by hand."""

from types import SimpleNamespace

import numpy as np

from slowfast.datasets.readers.packets import Run, index_packets, plan_runs


def packet(pts, *, dts=None, key=False, discard=False, size=9):
    """What index_packets asks of a PyAV packet."""
    dts = pts if dts is None else dts
    return SimpleNamespace(pts=pts, dts=dts, is_keyframe=key, is_discard=discard, size=size)


# Two groups of pictures, I P B B P B B | I P B B, in decode order; ten ticks a frame.
STREAM = [packet(pts, key=pts in (0, 70)) for pts in (0, 30, 10, 20, 60, 40, 50, 70, 100, 80, 90)]


def test_index():
    index = index_packets(STREAM, "h264")
    assert index.pts.tolist() == [0, 30, 10, 20, 60, 40, 50, 70, 100, 80, 90]
    assert index.shown.tolist() == [0, 2, 3, 1, 5, 6, 4, 7, 9, 10, 8]
    assert index.start.tolist() == [0] * 7 + [7] * 4


def test_leading_pictures_start_at_the_key_before():
    """Open group: the pictures at 40 and 50 follow the key at 60 in the file but are shown before it."""
    order = [(0, True), (30, False), (10, False), (20, False), (60, True), (40, False), (50, False), (70, False)]
    index = index_packets([packet(pts, key=key) for pts, key in order], "hevc")
    assert index.shown.tolist() == [0, 2, 3, 1, 5, 6, 4, 7]
    assert index.start.tolist() == [0, 0, 0, 0, 0, 0, 4, 4]
    assert plan_runs(index, [4]) == [Run(0, 5, frozenset({5}))]
    assert plan_runs(index, [4, 7]) == [Run(0, 7, frozenset({5, 7}))]


def test_discarded_and_empty_packets_are_not_shown():
    cut = [packet(-20, key=True, discard=True), packet(-10, discard=True), packet(0), packet(10), packet(20, size=0)]
    assert index_packets(cut, "h264").shown.tolist() == [2, 3]


def test_packets_that_do_not_tell():
    key = packet(0, key=True)
    end = packet(None, size=0)
    for packets in (
        [],
        [end],
        [packet(0), packet(10)],
        [packet(0), packet(10, key=True)],
        [key, packet(None)],
        [key, packet(10), packet(10)],
        [packet(30, key=True), packet(10), packet(20)],
        [packet(0, key=True, discard=True)],
    ):
        assert index_packets(packets, "h264") is None, packets
    assert index_packets([key, packet(10), end], "h264").shown.tolist() == [0, 1]


def test_where_there_is_no_decoding_time_the_display_time_is_sought():
    packets = [SimpleNamespace(**{**vars(p), "dts": dts}) for p, dts in zip(STREAM, [None, -10, *range(0, 90, 10)])]
    assert index_packets(packets, "h264").seek.tolist() == [0, -10, *range(0, 90, 10)]


def test_runs():
    index = index_packets(STREAM, "h264")
    for frames, expected in (
        ([0], [Run(0, 0, frozenset({0}))]),
        ([3], [Run(0, 1, frozenset({1}))]),
        ([1, 8], [Run(0, 2, frozenset({2})), Run(7, 9, frozenset({9}))]),
        ([6, 7], [Run(0, 4, frozenset({4})), Run(7, 7, frozenset({7}))]),
        ([5, 7], [Run(0, 7, frozenset({6, 7}))]),
        (range(11), [Run(0, 10, frozenset(range(11)))]),
    ):
        assert plan_runs(index, frames) == expected, frames


def test_runs_decode_the_fewest_packets():
    """By brute force: every packet from a wanted frame's key to it is decoded once, and no other."""
    rng = np.random.default_rng(0)
    keys = {0, 6, 7, 15, 31}
    index = index_packets([packet(10 * i, key=i in keys) for i in range(40)], "h264")
    for _ in range(50):
        frames = rng.choice(40, size=rng.integers(1, 7), replace=False)
        needed = {p for f in frames for p in range(max(k for k in keys if k <= f), f + 1)}
        runs = plan_runs(index, sorted(frames))
        assert [p for run in runs for p in range(run.first, run.last + 1)] == sorted(needed)
        assert {p for run in runs for p in run.packets} == set(frames)
