"""One label a clip: cross-entropy in training, softmax or raw scores in evaluation, top-k accuracy."""

from slowfast.evaluation.metrics import topk_correct
from slowfast.solver.losses import build_loss, soft_targets
from slowfast.tasks.build import TASK_REGISTRY


@TASK_REGISTRY.register("classification")
class Classification:
    """B clips, K classes; labels are class indices.

    Args:
        num_classes: K.
        loss, smoothing: MODEL.LOSS_FUNC, MODEL.LABEL_SMOOTHING.
        scores: what a view contributes to an ensemble, "softmax" or "logits" (TEST.SCORES).
    """

    counts = ("top1", "top5")
    primary_metric = "top1_acc"  # percent, the larger the better; picks best.pyth

    def __init__(self, num_classes, *, loss="cross_entropy", smoothing=0.0, scores="softmax"):
        self.num_classes = num_classes
        self.criterion = build_loss(loss, smoothing=smoothing)
        self.scores = scores

    @classmethod
    def from_cfg(cls, cfg):
        return cls(
            cfg.MODEL.NUM_CLASSES,
            loss=cfg.MODEL.LOSS_FUNC,
            smoothing=cfg.MODEL.LABEL_SMOOTHING,
            scores=cfg.TEST.SCORES,
        )

    def loss(self, model, frames, labels):
        """Args: frames normalised (B, C, T, H, W), labels int64 (B,) or shares float (B, K).

        Returns: (0-D loss, dict of 0-D sums over the batch: "top1", "top5" counts of right answers).
        """
        logits = model(frames)
        return self.criterion(logits.float(), labels), self.count_correct(logits.detach(), labels)

    def predict(self, model, frames):
        """Scores (B, K) in float32 that a view contributes to its video's ensemble."""
        logits = model(frames).float()
        return logits.softmax(dim=-1) if self.scores == "softmax" else logits

    def soft_labels(self, labels, smoothing):
        """Shares of the classes, float (B, K), of labels int64 (B,); clips that are mixed mix these."""
        return soft_targets(labels, self.num_classes, smoothing)

    def count_correct(self, scores, labels):
        """dict of 0-D counts; top-5 is over min(5, K) classes.

        Of a mixed clip the class with the larger share is the right one, and the probabilities of both count for it
        (PySlowFast adds up the scores themselves).
        """
        if labels.dtype.is_floating_point:
            scores, labels = _as_unmixed(scores, labels)
        top1, top5 = topk_correct(scores, labels, (1, min(5, self.num_classes)))
        return {"top1": top1, "top5": top5}


def _as_unmixed(scores, shares):
    """Scores (B, K) and labels int64 (B,) to count right answers of mixed clips by; shares (B, K)."""
    largest = shares.topk(2, dim=1)
    first, second = largest.indices.split(1, dim=1)
    is_mixed = largest.values[:, 1:] > shares.amin(dim=1, keepdim=True)  # else the second is any other class
    scores = scores.softmax(dim=1)
    part = scores.gather(1, second) * is_mixed
    return scores.scatter_add(1, first, part).scatter_add(1, second, -part), first[:, 0]
