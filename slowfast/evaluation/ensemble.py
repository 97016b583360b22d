"""Many views of a video become one row of scores, the same to the bit for any order of arrival and number of ranks.

V videos, N views a video, K classes.
"""

from dataclasses import dataclass

import numpy as np
import torch

from slowfast.utils.errors import UserError

METHODS = ("sum", "max")


@dataclass(frozen=True)
class VideoScores:
    """What a test found out about the videos that could be read, in the order of their ids.

    scores: float32 (V, K), the sum (not divided by N) or maximum over the views; video_ids: int64 (V,), increasing;
    frames: int32 (V, N, T), the frames of the video that each view showed, None where they were not given.
    """

    scores: np.ndarray
    video_ids: np.ndarray
    frames: np.ndarray | None = None


class ViewEnsemble:
    """Collects view scores and combines them per video.

    Every view's scores are kept (4 * V * N * K bytes over all ranks) until `finalize` adds them up in the order of the
    views: a running sum would round differently for each order of arrival. Sums are float64, rounded once to float32.

    Args:
        num_videos: rows of the split's list; video ids are in [0, num_videos).
        num_views: N, clips a video times crops a clip.
        num_classes: K.
        method: DATA.ENSEMBLE_METHOD, "sum" or "max".
    """

    def __init__(self, num_videos, num_views, num_classes, method="sum"):
        if method not in METHODS:
            raise ValueError(f"DATA.ENSEMBLE_METHOD: '{method}' is not one of {', '.join(METHODS)}")
        self.num_videos = num_videos
        self.num_views = num_views
        self.num_classes = num_classes
        self.method = method
        self._video_ids, self._view_ids, self._scores, self._frames = [], [], [], []  # arrays, one a call of add
        self._unreadable = {}  # video id -> (path, reason)

    def add(self, video_ids, view_ids, scores, frames=None):
        """Args: video_ids, view_ids: integers (B,); scores (B, K), on any device, kept as float32. B may be 0.

        frames: B arrays (T,), the numbers of the frames that the views showed; given always or never.

        Raises:
            UserError: scores that are not finite.
            ValueError: an id or a shape that does not fit this ensemble.
        """
        video_ids, view_ids = _to_numpy(video_ids, torch.int64), _to_numpy(view_ids, torch.int64)
        scores = _to_numpy(scores, torch.float32)
        if scores.shape != (len(video_ids), self.num_classes) or view_ids.shape != video_ids.shape:
            raise ValueError(
                f"{len(video_ids)} video ids, {len(view_ids)} view ids and scores of shape {scores.shape} do not fit "
                f"together: scores must be (ids, {self.num_classes} classes)"
            )
        for name, ids, bound in (("video", video_ids, self.num_videos), ("view", view_ids, self.num_views)):
            if len(ids) and not (0 <= ids.min() and ids.max() < bound):
                raise ValueError(f"{name} ids must be in [0, {bound}), got {ids.min()} to {ids.max()}")
        broken = sorted(set(video_ids[~np.isfinite(scores).all(axis=1)].tolist()))
        if broken:
            raise UserError(
                f"the model's scores are not finite for {_some(broken, 'video ids')}. "
                "Are the weights sound (TEST.CHECKPOINT_FILE_PATH)? If they are, test with TRAIN.PRECISION fp32."
            )
        self._video_ids.append(video_ids)
        self._view_ids.append(view_ids)
        self._scores.append(scores)
        if frames is not None and len(frames):
            self._frames.append(np.asarray(frames, np.int32))

    def add_unreadable(self, video_id, path, reason):
        """One view of this video could not be read: the whole video is left out and reported.

        May be called for each of its views; the alphabetically first reason is kept, whatever the order.
        """
        told = (str(path), str(reason))
        self._unreadable[int(video_id)] = min(told, self._unreadable.get(int(video_id), told))

    @property
    def unreadable(self):
        """dict video id -> (path, reason), in the order of the ids."""
        return dict(sorted(self._unreadable.items()))

    def state(self):
        """All that was added, as arrays to send to another process (picklable)."""
        return {
            "video_ids": _join(self._video_ids, (0,), np.int64),
            "view_ids": _join(self._view_ids, (0,), np.int64),
            "scores": _join(self._scores, (0, self.num_classes), np.float32),
            "frames": np.concatenate(self._frames) if self._frames else None,
            "unreadable": self._unreadable,
        }

    def merge(self, states):
        """Hold exactly what the `states` of all ranks hold, this one's included, in place of what was here."""
        self._video_ids = [state["video_ids"] for state in states]
        self._view_ids = [state["view_ids"] for state in states]
        self._scores = [state["scores"] for state in states]
        self._frames = [state["frames"] for state in states if state["frames"] is not None]
        self._unreadable = {}
        for state in states:
            for video_id, (path, reason) in state["unreadable"].items():
                self.add_unreadable(video_id, path, reason)
        return self

    def finalize(self):
        """Combine the views of every video that could be read.

        Returns: VideoScores.
        Raises: RuntimeError: a video lacks a view or got one twice; no number from such a run can be trusted.
        """
        views = self.state()
        video_ids, view_ids, scores = views["video_ids"], views["view_ids"], views["scores"]
        readable = np.ones(self.num_videos, bool)
        readable[list(self._unreadable)] = False
        self._check_complete(video_ids, view_ids, readable)
        total = np.zeros((self.num_videos, self.num_classes), np.float64)
        for view in range(self.num_views):
            chosen = np.flatnonzero((view_ids == view) & readable[video_ids])
            videos = video_ids[chosen]  # each video at most once, so that plain indexing adds every row
            if self.method == "sum":
                total[videos] += scores[chosen]
            else:
                total[videos] = scores[chosen] if view == 0 else np.maximum(total[videos], scores[chosen])
        return VideoScores(
            total[readable].astype(np.float32), np.flatnonzero(readable), self._frames_of(views, readable)
        )

    def _frames_of(self, views, readable):
        if views["frames"] is None:
            return None
        frames = np.zeros((self.num_videos, self.num_views, views["frames"].shape[1]), np.int32)
        frames[views["video_ids"], views["view_ids"]] = views["frames"]
        return frames[readable]

    def _check_complete(self, video_ids, view_ids, readable):
        counts = np.bincount(video_ids * self.num_views + view_ids, minlength=self.num_videos * self.num_views)
        counts = counts.reshape(self.num_videos, self.num_views)
        missing = np.flatnonzero((counts == 0).any(axis=1) & readable).tolist()
        repeated = np.flatnonzero((counts > 1).any(axis=1)).tolist()
        problems = [_some(missing, "videos without all their views, ids")] if missing else []
        problems += [_some(repeated, "videos with a view counted twice, ids")] if repeated else []
        if problems:
            raise RuntimeError(
                f"the test is incomplete over {self.num_videos} videos of {self.num_views} views: "
                f"{'; '.join(problems)}. The loader must give each view exactly once over all ranks."
            )


def _to_numpy(values, dtype):
    """A copy on the CPU, so that the caller may reuse its memory."""
    return torch.as_tensor(values).detach().to("cpu", dtype).numpy().copy()


def _join(parts, empty_shape, dtype):
    return np.concatenate(parts) if parts else np.zeros(empty_shape, dtype)


def _some(ids, what, limit=10):
    """'3 video ids: 1, 5, 8', cut after `limit`."""
    more = ", ..." if len(ids) > limit else ""
    return f"{len(ids)} {what}: {', '.join(map(str, ids[:limit]))}{more}"
