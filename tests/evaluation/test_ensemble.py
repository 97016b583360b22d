"""View ensembles: upstream's numbers, independence of order and ranks, refusal of gaps."""

import json
import pickle

import numpy as np
import pytest
import torch

from slowfast.evaluation.ensemble import ViewEnsemble
from slowfast.utils.errors import UserError

VIDEOS, VIEWS, CLASSES = 7, 4, 5


def all_views(seed=0, scale=1.0):
    """Every (video, view) once: ids (V*N,), (V*N,) and float32 scores (V*N, K) of very different sizes."""
    rng = np.random.default_rng(seed)
    video_ids, view_ids = np.divmod(np.arange(VIDEOS * VIEWS), VIEWS)
    scores = rng.normal(size=(VIDEOS * VIEWS, CLASSES)) * 10.0 ** rng.integers(-6, 6, (VIDEOS * VIEWS, CLASSES))
    return video_ids, view_ids, (scale * scores).astype(np.float32)


def ensemble(method="sum"):
    return ViewEnsemble(VIDEOS, VIEWS, CLASSES, method)


def fill(target, rows, views):
    for start in range(0, len(rows), 3):
        part = rows[start : start + 3]
        target.add(*(values[part] for values in views))
    return target


@pytest.mark.parametrize("case", [0, 1])
def test_equals_upstream(reference_dir, case):
    facts = json.loads((reference_dir / "parity/slowfast/functional.json").read_text())["test_meter"]["cases"][case]
    tested = ViewEnsemble(facts["num_videos"], facts["num_clips"], facts["num_classes"], facts["ENSEMBLE_METHOD"])
    order, scores = torch.tensor(facts["clip_order"]), torch.tensor(facts["clip_preds"])  # scores by clip id
    tested.add(order // facts["num_clips"], order % facts["num_clips"], scores[order])
    result = tested.finalize()
    assert result.scores.dtype == np.float32
    assert result.video_ids.tolist() == list(range(facts["num_videos"]))
    np.testing.assert_allclose(result.scores, np.float32(facts["video_preds"]), rtol=0, atol=2e-7)


@pytest.mark.parametrize(("method", "combine"), [("sum", np.sum), ("max", np.max)])
def test_equals_numpy_over_the_view_axis(method, combine):
    views = all_views(scale=-1)
    result = fill(ensemble(method), np.arange(VIDEOS * VIEWS), views).finalize()
    expected = combine(views[2].reshape(VIDEOS, VIEWS, CLASSES).astype(np.float64), axis=1)
    assert result.scores.tobytes() == expected.astype(np.float32).tobytes()  # summed in float64, rounded once


@pytest.mark.parametrize("method", ["sum", "max"])
@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_bits_do_not_depend_on_order_and_ranks(method, world_size):
    views = all_views()
    expected = fill(ensemble(method), np.arange(VIDEOS * VIEWS), views).finalize().scores
    order = np.random.default_rng(world_size).permutation(VIDEOS * VIEWS)
    ranks = [fill(ensemble(method), order[rank::world_size], views) for rank in range(world_size)]
    states = [pickle.loads(pickle.dumps(rank.state())) for rank in ranks]
    for rank in ranks:
        assert rank.merge(states).finalize().scores.tobytes() == expected.tobytes()


def test_a_plain_float32_running_sum_would_depend_on_order():
    """Guards the test above: its numbers are hard enough to tell."""
    views = all_views()[2].reshape(VIDEOS, VIEWS, CLASSES)
    assert views.sum(axis=1).tobytes() != views[:, ::-1].sum(axis=1).tobytes()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_takes_tensors_of_any_precision_and_copies_them(dtype):
    scores = torch.ones(VIEWS, CLASSES, dtype=dtype)
    tested = ViewEnsemble(1, VIEWS, CLASSES)
    tested.add(torch.zeros(VIEWS, dtype=torch.int64), torch.arange(VIEWS), scores.requires_grad_())
    scores.detach().zero_()
    assert tested.finalize().scores.tolist() == [[VIEWS] * CLASSES]


def test_missing_view_is_refused():
    video_ids, view_ids, scores = all_views()
    tested = ensemble()
    tested.add(video_ids[:-2], view_ids[:-2], scores[:-2])
    with pytest.raises(RuntimeError, match=r"1 videos without all their views, ids: 6"):
        tested.finalize()


def test_repeated_view_is_refused_even_across_ranks():
    views = all_views()
    first = fill(ensemble(), np.arange(VIDEOS * VIEWS), views)
    second = fill(ensemble(), np.array([5]), views)
    with pytest.raises(RuntimeError, match=r"1 videos with a view counted twice, ids: 1"):
        first.merge([first.state(), second.state()]).finalize()


def test_unreadable_video_is_left_out_and_told_once():
    video_ids, view_ids, scores = all_views()
    kept = (video_ids != 2) | (view_ids == 0)  # one view of video 2 could be read: it still does not count
    tested, other = ensemble(), ensemble()
    tested.add(video_ids[kept], view_ids[kept], scores[kept])
    tested.add_unreadable(2, "b.mp4", "stops early")
    other.add_unreadable(2, "b.mp4", "no key frame")
    for states in ([tested.state(), other.state()], [other.state(), tested.state()]):
        merged = ensemble().merge(states)
        assert merged.unreadable == {2: ("b.mp4", "no key frame")}
        assert merged.finalize().video_ids.tolist() == [0, 1, 3, 4, 5, 6]
        assert len(merged.finalize().scores) == VIDEOS - 1


def test_frames_that_were_looked_at():
    """Of 3 videos and 2 views, in any order and from two ranks; the video that could not be read is left out."""
    ranks = [ViewEnsemble(3, 2, 4) for _ in range(2)]
    for number, (video, view) in enumerate([(2, 1), (0, 0), (0, 1), (2, 0)]):
        ranks[number % 2].add([video], [view], np.zeros((1, 4)), [np.array([video, view, 9])])
    ranks[0].add_unreadable(1, "b.mp4", "cut")
    result = ViewEnsemble(3, 2, 4).merge([rank.state() for rank in ranks]).finalize()
    assert result.frames.tolist() == [[[0, 0, 9], [0, 1, 9]], [[2, 0, 9], [2, 1, 9]]]
    assert ViewEnsemble(0, 2, 4).finalize().frames is None


def test_nothing_readable_gives_no_rows():
    tested = ViewEnsemble(2, 3, CLASSES)
    tested.add([], [], torch.zeros(0, CLASSES))
    for video_id in (1, 0):
        tested.add_unreadable(video_id, f"{video_id}.mp4", "empty file")
    assert list(tested.unreadable) == [0, 1]
    assert tested.finalize().scores.shape == (0, CLASSES)


@pytest.mark.parametrize(
    ("video_ids", "view_ids", "shape", "match"),
    [
        ([7], [0], (1, 5), r"video ids must be in \[0, 7\)"),
        ([0], [-1], (1, 5), r"view ids must be in \[0, 4\)"),
        ([0], [0], (1, 6), "5 classes"),
        ([0, 1], [0], (2, 5), "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused(video_ids, view_ids, shape, match):
    with pytest.raises(ValueError, match=match):
        ensemble().add(video_ids, view_ids, torch.zeros(shape))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(value):
    scores = torch.zeros(3, CLASSES)
    scores[1, 2] = value
    with pytest.raises(UserError, match=r"1 video ids: 4"):
        ensemble().add([3, 4, 5], [0, 0, 0], scores)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"'mean' is not one of sum, max"):
        ensemble("mean")
