"""A member of TSTL, the selector or an expert: a CAST with one head, whose features can be asked for beside its logits.

Released as "TSTL: Two Stage Transformer Learning" on top of CAST, https://arxiv.org/abs/2311.18825
"""

# B clips, C channels, F frames, H x W pixels, D width, K classes (of the selector: groups)
from typing import NamedTuple

import torch

from projects.cast.model import CAST
from slowfast.models.build import MODEL_REGISTRY


class Features(NamedTuple):
    """fused: what the head sees, before dropout; spatial, temporal: of the two streams; each (B, D)."""

    fused: torch.Tensor
    spatial: torch.Tensor
    temporal: torch.Tensor


@MODEL_REGISTRY.register()
class TSTLMember(CAST):
    """Input: clip (B, C, F, H, W), normalised float. Output: logits (B, K), or (logits, Features).

    Args and state-dict keys: CAST's with one head.
    """

    def forward(self, clip, with_features=False):
        logits, features = self.classify(self.embed(clip))
        return (logits, features) if with_features else logits

    def classify(self, streams):
        """What `embed` gives -> logits (B, K), Features."""
        space, time = self.encode(streams)
        features = Features(self.noun_last_Adapter(space) + self.verb_last_Adapter(time), space, time)
        return self.head(self.head_drop(features.fused)), features
