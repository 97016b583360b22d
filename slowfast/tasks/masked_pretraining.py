"""Masked pre-training: a clip's label says which tokens are hidden, the loss how well their pixels are predicted."""

import torch
from torch.nn.functional import mse_loss

from slowfast.tasks.build import TASK_REGISTRY
from slowfast.tasks.pixel_targets import clip_of, patches_of, pixel_targets, statistics
from slowfast.utils.errors import ConfigError


@TASK_REGISTRY.register("masked_pretraining")
class MaskedPretraining:
    """B clips, M hidden tokens each; labels are their numbers, int64 (B, M), as the data set drew them.

    For models (frames, labels) -> pixels of the hidden tokens (B, M, P), such as VideoMAE.

    Args:
        patch: (frames, px, px) of a token.
        mean, std: what normalised the frames, a number a channel.
        standardised: VIDEO_MAE.NORM_PIXELS, see `pixel_targets`.
    """

    counts = ()
    primary_metric = "loss"  # mean squared error; picks best.pyth
    lower_is_better = True

    def __init__(self, patch, *, mean, std, standardised=True):
        self.patch = tuple(patch)
        self.mean = mean
        self.std = std
        self.standardised = standardised

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError: a MODEL.LOSS_FUNC other than the one loss that there is."""
        if cfg.MODEL.LOSS_FUNC != "mse":
            raise ConfigError(
                f"MODEL.LOSS_FUNC: '{cfg.MODEL.LOSS_FUNC}' is for labels; TASK masked_pretraining takes mse"
            )
        size, step = cfg.VIDEO_VIT.PATCH_SIZE, -1 if cfg.DATA.REVERSE_INPUT_CHANNEL else 1
        return cls(
            (cfg.VIDEO_VIT.TUBELET_SIZE, size, size),
            mean=cfg.DATA.MEAN[::step],
            std=cfg.DATA.STD[::step],
            standardised=cfg.VIDEO_MAE.NORM_PIXELS,
        )

    def loss(self, model, frames, labels):
        """Args: frames normalised (B, C, T, H, W), labels int64 (B, M).

        Returns: (0-D mean squared error over all hidden tokens and their values, an empty dict).
        """
        return mse_loss(model(frames, labels).float(), self.targets(frames, labels)), {}

    def targets(self, frames, hidden):
        """What to predict, (B, M, P), of normalised frames (B, C, T, H, W) and hidden tokens int64 (B, M)."""
        return pixel_targets(self.patches(frames, hidden), standardised=self.standardised)

    def patches(self, frames, tokens):
        """Pixels in [0, 1] of some tokens, (B, M, pixels of a patch, C), from normalised frames (B, C, T, H, W)."""
        patches = patches_of(self._pixels(frames), self.patch)
        return patches.gather(1, _index(tokens, patches))

    def reconstruct(self, frames, hidden, prediction):
        """What there was, what the model saw, and what it made of it, for pictures.

        A model that predicts standardised pixels does not say a patch's brightness and contrast: they are the true
        ones.

        Args:
            frames: normalised (B, C, T, H, W). hidden: int64 (B, M). prediction: (B, M, P), the model's.
        Returns:
            (3, B, C, T, H, W), in [0, 1] but for what the model predicts: the clips, the clips with grey in place of
            hidden tokens, the clips with their predictions there.
        """
        pixels = self._pixels(frames)
        patches = patches_of(pixels, self.patch)  # (B, N, n, C)
        grid = tuple(side // step for side, step in zip(frames.shape[2:], self.patch))
        index = _index(hidden, patches)
        predicted = prediction.to(patches.dtype).unflatten(2, patches.shape[2:])  # (B, M, n, C)
        if self.standardised:
            mean, deviation = statistics(patches.gather(1, index))
            predicted = predicted * deviation + mean
        grey = patches.new_full((), 0.5).expand_as(predicted)
        clips = [clip_of(patches.scatter(1, index, values), self.patch, grid) for values in (grey, predicted)]
        return torch.stack([pixels, *clips])

    def _pixels(self, frames):
        """Normalised frames (B, C, T, H, W) -> colours in [0, 1]."""
        mean, std = (frames.new_tensor(values).view(-1, 1, 1, 1) for values in (self.mean, self.std))
        return frames * std + mean

    def predict(self, model, frames):
        """Pixels of the tokens that the model hides unasked, in float32: for measurements of the forward pass."""
        return model(frames).float()


def _index(tokens, patches):
    """Tokens int64 (B, M) as gather and scatter along the tokens of patches (B, N, n, C) want them, (B, M, n, C)."""
    return tokens[..., None, None].expand(-1, -1, *patches.shape[2:])
