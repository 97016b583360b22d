"""A project whose XViT takes its time in training, so that something can happen meanwhile; its numbers are the same."""

import time

from slowfast.config import CfgNode
from slowfast.models import MODEL_REGISTRY
from slowfast.models.xvit import XViT


def add_config(cfg):
    cfg.SLOW = CfgNode()
    cfg.SLOW.SEC = 0.25  # seconds that each training forward pass takes longer


@MODEL_REGISTRY.register()
class SlowXViT(XViT):
    """As XViT."""

    seconds = 0.0

    @classmethod
    def from_cfg(cls, cfg):
        model = super().from_cfg(cfg)
        model.seconds = cfg.SLOW.SEC
        return model

    def forward(self, clip):
        if self.training and clip.device.type == "cpu":  # and not the one on tensors without memory
            time.sleep(self.seconds)
        return super().forward(clip)
