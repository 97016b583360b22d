"""Any number of labels a clip: binary cross-entropy in training, mean average precision over a whole split."""

from torch.nn.functional import binary_cross_entropy_with_logits

from slowfast.evaluation.metrics import mean_average_precision
from slowfast.tasks.build import TASK_REGISTRY
from slowfast.utils.errors import ConfigError

LOSSES = ("bce", "bce_logit", "cross_entropy")


@TASK_REGISTRY.register("multi_label")
class MultiLabel:
    """B clips, K classes; labels are zeros and ones (B, K).

    Args:
        scores: what a view contributes to an ensemble: "softmax" (the default of TEST.SCORES) stands for
            probabilities, which here are sigmoids; "logits" for raw scores.
    """

    counts = ()  # nothing adds up over batches: the metric is over the whole split, see `split_metrics`
    primary_metric = "map"  # percent, the larger the better; picks best.pyth

    def __init__(self, *, scores="softmax"):
        self.scores = scores

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError: a MODEL.LOSS_FUNC that is not for several labels (the default means binary)."""
        if cfg.MODEL.LOSS_FUNC not in LOSSES:
            raise ConfigError(
                f"MODEL.LOSS_FUNC: '{cfg.MODEL.LOSS_FUNC}' is not one of {', '.join(LOSSES)}, which all mean binary "
                "cross-entropy with TASK multi_label"
            )
        return cls(scores=cfg.TEST.SCORES)

    def loss(self, model, frames, labels):
        """Args: frames normalised (B, C, T, H, W), labels float (B, K).

        Returns: (0-D loss, the mean over clips and classes; an empty dict, as there are no counts).
        """
        return binary_cross_entropy_with_logits(model(frames).float(), labels), {}

    def soft_labels(self, labels, smoothing):
        """The labels, float (B, K): they are shares already, and binary cross-entropy knows no smoothing of classes."""
        return labels

    def predict(self, model, frames):
        """Scores (B, K) in float32 that a view contributes to its video's ensemble."""
        logits = model(frames).float()
        return logits.sigmoid() if self.scores == "softmax" else logits

    def split_metrics(self, scores, labels):
        """dict of percentages for all clips of a split: scores (V, K), labels (V, K)."""
        return {"map": mean_average_precision(scores, labels)}
