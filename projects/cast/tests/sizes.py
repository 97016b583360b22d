"""Small CASTs of pairwise different sizes for tests."""

import torch

from projects.cast.model import CAST

SIZES = {"patch_size": 8, "embed_dim": 24, "depth": 3, "num_heads": 3, "mlp_ratio": 3, "down_ratio": 2}
FRAMES, CROP = 8, 16  # 4 time steps, 4 places


def small_cast(num_classes=(5, 7), *, random=True, **changes):
    """CAST whose parameters are all random, so that no zero at the start hides anything."""
    torch.manual_seed(0)
    model = CAST(num_classes, FRAMES, CROP, **{**SIZES, **changes})
    if random:
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def clip(batch=2, frames=FRAMES, crop=CROP):
    return torch.randn(batch, 3, frames, crop, crop, generator=torch.Generator().manual_seed(1))
