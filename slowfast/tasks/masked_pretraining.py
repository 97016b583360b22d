"""Masked pre-training: a clip's label says which tokens are hidden, the loss how well their pixels are predicted."""

from torch.nn.functional import mse_loss

from slowfast.tasks.build import TASK_REGISTRY
from slowfast.tasks.pixel_targets import patches_of, pixel_targets
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
        mean, std = (frames.new_tensor(values).view(-1, 1, 1, 1) for values in (self.mean, self.std))
        patches = patches_of(frames * std + mean, self.patch)
        return patches.gather(1, tokens[..., None, None].expand(-1, -1, *patches.shape[2:]))

    def predict(self, model, frames):
        """Pixels of the tokens that the model hides unasked, in float32: for measurements of the forward pass."""
        return model(frames).float()
