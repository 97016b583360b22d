"""A verb and a noun a clip: cross-entropy of both, and accuracy of verb, noun and the action that they make."""

import torch

from slowfast.config.derive import head_classes
from slowfast.evaluation.verb_noun import HITS, verb_noun_hits
from slowfast.solver.losses import build_loss, soft_targets
from slowfast.tasks.build import TASK_REGISTRY
from slowfast.utils.errors import ConfigError


@TASK_REGISTRY.register("verb_noun")
class VerbNoun:
    """B clips; labels are int64 (B, 2), verb and noun; a model's logits are those of the verbs, then of the nouns.

    So any model whose number of classes is verbs + nouns will do; one with a head for each puts them side by side.

    Args:
        head_classes: (verbs, nouns).
        loss, smoothing: MODEL.LOSS_FUNC, MODEL.LABEL_SMOOTHING, of each head over its own classes.
        scores: what a view contributes to an ensemble: "softmax", of each head apart, or "logits" (TEST.SCORES).
    """

    counts = HITS
    primary_metric = "action_top1_acc"  # percent, the larger the better; picks best.pyth

    def __init__(self, head_classes, *, loss="cross_entropy", smoothing=0.0, scores="softmax"):
        self.head_classes = tuple(head_classes)
        self.criterion = build_loss(loss, smoothing=smoothing)
        self.scores = scores

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError: MODEL.HEAD_CLASSES are not two numbers whose sum is MODEL.NUM_CLASSES."""
        heads = head_classes(cfg)
        if len(heads) != 2 or min(heads) < 1 or sum(heads) != cfg.MODEL.NUM_CLASSES:
            raise ConfigError(
                f"MODEL.HEAD_CLASSES: got {list(heads)}, expected [verbs, nouns] whose sum is MODEL.NUM_CLASSES "
                f"{cfg.MODEL.NUM_CLASSES}; EPIC-KITCHENS-100 has [97, 300] and 397"
            )
        return cls(heads, loss=cfg.MODEL.LOSS_FUNC, smoothing=cfg.MODEL.LABEL_SMOOTHING, scores=cfg.TEST.SCORES)

    def loss(self, model, frames, labels):
        """Args: frames normalised (B, C, T, H, W), labels int64 (B, 2) or shares of the classes of both, float (B, K).

        Returns: (0-D loss, the sum of both heads' means; dict of 0-D counts of right answers, `verb_noun_hits`; of a
            mixed clip the verb and the noun with the larger shares are right).
        """
        logits = model(frames).float()
        targets = labels.unbind(dim=1)
        if labels.dtype.is_floating_point:
            targets = labels.split(self.head_classes, dim=1)
            labels = torch.stack([part.argmax(dim=1) for part in targets], dim=1)
        parts = zip(logits.split(self.head_classes, dim=1), targets)
        hits = verb_noun_hits(logits.detach(), labels, self.head_classes, probabilities=False)
        return sum(self.criterion(*part) for part in parts), {name: right.sum() for name, right in hits.items()}

    def soft_labels(self, labels, smoothing):
        """Shares of the verbs, then of the nouns, float (B, verbs + nouns), of labels int64 (B, 2)."""
        parts = zip(labels.unbind(dim=1), self.head_classes)
        return torch.cat([soft_targets(part, classes, smoothing) for part, classes in parts], dim=1)

    def predict(self, model, frames):
        """Scores (B, verbs + nouns) in float32 that a view contributes to its video's ensemble."""
        logits = model(frames).float()
        if self.scores == "logits":
            return logits
        return torch.cat([part.softmax(dim=-1) for part in logits.split(self.head_classes, dim=1)], dim=1)
