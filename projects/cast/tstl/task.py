"""What TSTL's selector and experts minimise: cross-entropy and triplet losses of the fused features, by weights."""

import torch

from projects.cast.tstl.losses import batch_all_triplet, semi_hard_triplet
from slowfast.config import derive
from slowfast.tasks.build import TASK_REGISTRY
from slowfast.tasks.classification import Classification
from slowfast.utils.errors import ConfigError


@TASK_REGISTRY.register("tstl")
class StageTask(Classification):
    """Classification with further losses; labels and scores as there. For TSTLMember, whose features it asks for.

    Args:
        num_classes, options: as Classification's.
        cross_entropy, batch_all, semi_hard: weights of the losses in training.
        val_cross_entropy, val_batch_all: weights in validation.
        margin: of both triplet losses. root: see `semi_hard_triplet`.
    """

    def __init__(
        self,
        num_classes,
        *,
        cross_entropy=1.0,
        batch_all=0.0,
        semi_hard=0.0,
        val_cross_entropy=0.5,
        val_batch_all=0.5,
        margin=1.0,
        root=False,
        **options,
    ):
        super().__init__(num_classes, **options)
        self.weights = (cross_entropy, batch_all, semi_hard)
        self.val_weights = (val_cross_entropy, val_batch_all, 0.0)
        self.margin = margin
        self.root = root

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError: another model, weights that are negative or all 0, triplets of mixed clips."""
        tstl, problems = cfg.TSTL, []
        keys = ("CE_WEIGHT", "BATCH_ALL_WEIGHT", "SEMI_HARD_WEIGHT", "VAL_CE_WEIGHT", "VAL_BATCH_ALL_WEIGHT", "MARGIN")
        problems += [f"TSTL.{key}: got {tstl[key]!r}, expected 0 or more" for key in keys if not tstl[key] >= 0]
        if not any(tstl[key] > 0 for key in keys[:3]):
            problems.append(f"{', '.join(f'TSTL.{key}' for key in keys[:3])}: all 0; there is nothing to minimise")
        if cfg.MODEL.MODEL_NAME != "TSTLMember":
            problems.append(f"TASK: got 'tstl', which needs MODEL.MODEL_NAME TSTLMember, not '{cfg.MODEL.MODEL_NAME}'")
        if derive.mixes(cfg) and (tstl.BATCH_ALL_WEIGHT or tstl.SEMI_HARD_WEIGHT):
            problems.append(
                "TSTL.BATCH_ALL_WEIGHT, TSTL.SEMI_HARD_WEIGHT: mixed clips have no one label; switch MIXUP off"
            )
        if problems:
            raise ConfigError(problems)
        return cls(
            cfg.MODEL.NUM_CLASSES,
            cross_entropy=tstl.CE_WEIGHT,
            batch_all=tstl.BATCH_ALL_WEIGHT,
            semi_hard=tstl.SEMI_HARD_WEIGHT,
            val_cross_entropy=tstl.VAL_CE_WEIGHT,
            val_batch_all=tstl.VAL_BATCH_ALL_WEIGHT,
            margin=tstl.MARGIN,
            root=tstl.SEMI_HARD_ROOT,
            loss=cfg.MODEL.LOSS_FUNC,
            smoothing=cfg.MODEL.LABEL_SMOOTHING,
            scores=cfg.TEST.SCORES,
        )

    def loss(self, model, frames, labels):
        """Args, Returns: as Classification's. Triplets are of the clips given, a process's micro-batch."""
        logits, features = model(frames, with_features=True)
        cross_entropy, batch_all, semi_hard = self.weights if torch.is_grad_enabled() else self.val_weights
        loss = cross_entropy * self.criterion(logits.float(), labels)
        fused = features.fused.float()
        if batch_all:
            loss = loss + batch_all * batch_all_triplet(fused, labels, self.margin)
        if semi_hard:
            loss = loss + semi_hard * semi_hard_triplet(fused, labels, self.margin, root=self.root)
        return loss, self.count_correct(logits.detach(), labels)
