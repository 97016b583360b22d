"""CLIP's image transformer over the frames of a clip: CAST's spatial expert alone, and how to train one of your own.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
https://arxiv.org/abs/2103.00020
"""

# B clips, C channels, F frames, T = F / 2 of them are seen, S places of the patch grid, D width, K classes
import torch
from torch import nn

from projects.cast.block import CLIP_NORM_EPS
from projects.cast.layers import ClipAttention, ClipMlp
from projects.cast.sizes import TUBELET_SIZE, expert_problems, input_problems, section_sizes
from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.block import BlockStack
from slowfast.models.layers.positions import resize_positions
from slowfast.utils.errors import ConfigError

INIT_STD = 0.02
EMBEDDINGS = ("class_embedding", "positional_embedding", "conv1.", "ln_pre.")


class ClipBlock(nn.Module):
    """Self-attention, then the MLP, each after a LayerNorm; state-dict keys of CLIP's blocks."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim, eps=CLIP_NORM_EPS)
        self.attn = ClipAttention(dim, num_heads)
        self.ln_2 = nn.LayerNorm(dim, eps=CLIP_NORM_EPS)
        self.mlp = ClipMlp(dim)

    def forward(self, x):
        """x: (B, N, D) -> (B, N, D)."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


@MODEL_REGISTRY.register()
class ClipViT(nn.Module):
    """Input: clip (B, C, F, H, W), normalised float. Output: logits (B, K), the mean over frames: their order is lost.

    Sees the frames that CAST's spatial stream sees, the second of every two. State-dict keys are those of the visual
    part of CLIP, and head.*; a checkpoint of it is a CAST.CLIP_PATH.

    Args:
        num_classes: K.
        crop_size, patch_size: px.
        embed_dim, depth, num_heads: of the blocks.
        in_channels: C.
        dropout: before the classifier.
        init_std: scale of linear layers and embeddings at the start.
        head_init_scale: factor on the classifier's initial weights.
        act_checkpoint: recompute each block in the backward pass instead of keeping its activations.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    def __init__(
        self,
        num_classes,
        crop_size,
        *,
        patch_size=16,
        embed_dim=768,
        depth=12,
        num_heads=12,
        in_channels=3,
        dropout=0.0,
        init_std=INIT_STD,
        head_init_scale=1.0,
        act_checkpoint=False,
    ):
        super().__init__()
        sizes = {"patch_size": patch_size, "embed_dim": embed_dim, "depth": depth, "num_heads": num_heads}
        if problems := expert_problems(crop_size=crop_size, **sizes):
            raise ConfigError(problems)
        self.grid = (crop_size // patch_size,) * 2
        self.conv1 = nn.Conv2d(in_channels, embed_dim, patch_size, stride=patch_size, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(embed_dim))
        self.positional_embedding = nn.Parameter(torch.empty(1 + self.grid[0] * self.grid[1], embed_dim))
        self.ln_pre = nn.LayerNorm(embed_dim, eps=CLIP_NORM_EPS)
        blocks = [ClipBlock(embed_dim, num_heads) for _ in range(depth)]
        self.transformer = nn.ModuleDict({"resblocks": BlockStack(blocks, act_checkpoint=act_checkpoint)})
        self.ln_post = nn.LayerNorm(embed_dim, eps=CLIP_NORM_EPS)
        self.head_drop = nn.Dropout(dropout)
        self.head = nn.Linear(embed_dim, num_classes)
        self._initialise(init_std, head_init_scale)

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, crop sizes included."""
        if problems := input_problems(cfg):
            raise ConfigError(problems)
        return cls(
            cfg.MODEL.NUM_CLASSES,
            cfg.DATA.TRAIN_CROP_SIZE,
            **section_sizes(cfg.CAST),
            in_channels=cfg.DATA.INPUT_CHANNEL_NUM[0],
            dropout=cfg.MODEL.DROPOUT_RATE,
            init_std=cfg.CAST.INIT_STD,
            head_init_scale=cfg.CAST.HEAD_INIT_SCALE,
            act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
        )

    @property
    def num_layers(self):
        """Blocks, which `layer_of` counts."""
        return len(self.transformer["resblocks"])

    def layer_of(self, name):
        """Depth of a parameter: 0 embeddings, i + 1 block i, num_layers + 1 the norm and head after the blocks."""
        if name.startswith(EMBEDDINGS):
            return 0
        return vit.layer_of(name.replace("transformer.resblocks.", "blocks."), self.num_layers)

    def no_weight_decay(self):
        """Positions and class embedding."""
        return {"positional_embedding", "class_embedding"}

    def _initialise(self, init_std, head_init_scale):
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2 or name == "class_embedding":
                nn.init.trunc_normal_(parameter, std=init_std)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        with torch.no_grad():
            self.head.weight *= head_init_scale

    def forward(self, clip):
        """clip: (B, C, F, H, W) -> logits (B, K)."""
        frames = clip[:, :, 1::TUBELET_SIZE].transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
        x = self.conv1(frames)  # (B * T, D, rows, columns)
        positions = resize_positions(self.positional_embedding[None], self.grid, x.shape[2:])
        x = x.flatten(2).transpose(1, 2)  # (B * T, S, D)
        x = torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], dim=1) + positions
        x = self.transformer["resblocks"](self.ln_pre(x))
        logits = self.head(self.head_drop(self.ln_post(x[:, 0])))  # (B * T, K)
        return logits.unflatten(0, (len(clip), -1)).mean(dim=1)
