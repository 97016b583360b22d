"""Which frames a clip takes, one class a published rule; no data is read here.

Each rule has `train(video, num_frames, sampling_rate, rng)`, a random clip; `middle(video, num_frames,
sampling_rate)`, the clip that stands for the whole video; and `view(video, num_frames, sampling_rate, clip, num_clips,
rng)`, a test clip. All give frame numbers, int64 (num_frames,). A video has a length, `fps` (None: unknown) and
`timestamps`, as readers do; rng is a numpy Generator.
"""

from dataclasses import dataclass

from slowfast.datasets import sampling


@dataclass(frozen=True)
class SlowFastClips:
    """PySlowFast's and XViT's clips: num_frames * sampling_rate frames, counted at a common rate, from end to end.

    Args:
        target_fps: DATA.TARGET_FPS; also the rate that videos of unknown rate are taken to have.
        reach_end: DATA.USE_OFFSET_SAMPLING, see `sampling.uniform_clip_start`.
    """

    target_fps: float = 30
    reach_end: bool = False

    def train(self, video, num_frames, sampling_rate, rng):
        span = self._span(video, num_frames, sampling_rate)
        return self._clip(video, sampling.random_clip_start(len(video), span, rng.random()), span, num_frames)

    def middle(self, video, num_frames, sampling_rate):
        span = self._span(video, num_frames, sampling_rate)
        return self._clip(video, sampling.middle_clip_start(len(video), span), span, num_frames)

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        span = self._span(video, num_frames, sampling_rate)
        start = sampling.uniform_clip_start(len(video), span, clip, num_clips, reach_end=self.reach_end)
        return self._clip(video, start, span, num_frames)

    def _span(self, video, num_frames, sampling_rate):
        return sampling.clip_span(num_frames, sampling_rate, video.fps or self.target_fps, self.target_fps)

    def _clip(self, video, start, span, num_frames):
        return sampling.clip_indices(len(video), start, span, num_frames, video.timestamps)


@dataclass(frozen=True)
class SlowFastSegments:
    """PySlowFast's and XViT's Something-Something: a frame from each of num_frames segments of the whole video."""

    def train(self, video, num_frames, sampling_rate, rng):
        return sampling.segment_indices(len(video), num_frames, "random", rng)

    def middle(self, video, num_frames, sampling_rate):
        return sampling.segment_indices(len(video), num_frames)

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        return sampling.segment_indices(len(video), num_frames, sampling.segment_place(clip))


@dataclass(frozen=True)
class CharadesClips:
    """PySlowFast's Charades: every sampling_rate-th frame; the last test clip ends with the video."""

    def train(self, video, num_frames, sampling_rate, rng):
        room = self._room(video, num_frames, sampling_rate)
        start = int(rng.integers(min(0, room), max(0, room), endpoint=True))
        return sampling.strided_indices(len(video), start, sampling_rate, num_frames)

    def middle(self, video, num_frames, sampling_rate):
        return self.view(video, num_frames, sampling_rate, 0, 1)

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        room = max(self._room(video, num_frames, sampling_rate), 0)
        start = room // 2 if num_clips == 1 else round(clip * room / (num_clips - 1))
        return sampling.strided_indices(len(video), start, sampling_rate, num_frames)

    def _room(self, video, num_frames, sampling_rate):
        return len(video) - ((num_frames - 1) * sampling_rate + 1)


@dataclass(frozen=True)
class VideoMAEDense:
    """VideoMAE's and CAST's Kinetics: frames sampling_rate apart, whatever the video's rate."""

    def train(self, video, num_frames, sampling_rate, rng):
        return sampling.random_dense_indices(len(video), sampling_rate, num_frames, rng)

    def middle(self, video, num_frames, sampling_rate):
        return self.view(video, num_frames, sampling_rate, 0, 1)

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        return sampling.dense_view_indices(len(video), sampling_rate, num_frames, clip, num_clips)


@dataclass(frozen=True)
class VideoMAESegments:
    """VideoMAE's and CAST's Something-Something and EPIC: a frame from each of num_frames segments of the video."""

    def train(self, video, num_frames, sampling_rate, rng):
        return sampling.random_segment_indices(len(video), num_frames, rng)

    def middle(self, video, num_frames, sampling_rate):
        return self.view(video, num_frames, sampling_rate, 0, 1)

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        return sampling.spread_indices(len(video), num_frames, clip, num_clips)


@dataclass(frozen=True)
class EvaSegments(VideoMAESegments):
    """EVA's: segments as above; of several test clips each one is drawn as a training clip is.

    The public test draws them anew in each run; here the generator decides, so that a test can be repeated, and the
    result stores which frames were looked at.
    """

    def view(self, video, num_frames, sampling_rate, clip, num_clips, rng=None):
        if num_clips == 1:
            return super().view(video, num_frames, sampling_rate, 0, 1)
        return self.train(video, num_frames, sampling_rate, rng)


RULES = {
    "slowfast": SlowFastClips,
    "slowfast_segments": SlowFastSegments,
    "charades": CharadesClips,
    "videomae_dense": VideoMAEDense,
    "videomae_segments": VideoMAESegments,
    "eva": EvaSegments,
}


def build_rule(cfg, own="slowfast"):
    """The rule that DATA.SAMPLING names. Args: own: of the data set, which "auto" stands for."""
    name = own if cfg.DATA.SAMPLING == "auto" else cfg.DATA.SAMPLING
    if name == "slowfast":
        return SlowFastClips(cfg.DATA.TARGET_FPS, cfg.DATA.USE_OFFSET_SAMPLING)
    return RULES[name]()
