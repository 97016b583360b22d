"""The plain video transformer: tubelets as tokens, all of them attending to each other in every block.

The network that VideoMAE fine-tunes: Tong et al. 2022, "VideoMAE: Masked Autoencoders are Data-Efficient Learners for
Self-Supervised Video Pre-Training", https://arxiv.org/abs/2203.12602. Numbers and behaviour of the released code:
tests/parity.
"""

# B clips, C channels, T frames, H x W pixels, N tokens (class token first, where there is one), D width, K classes
import torch
from torch import nn

from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.block import Block, BlockStack
from slowfast.models.layers.drop_path import depth_rates
from slowfast.models.layers.patch_embed import PatchEmbed
from slowfast.models.layers.positions import learnt_positions, resize_positions, sincos_positions
from slowfast.utils.errors import ConfigError

NORM_EPS = 1e-6
INIT_STD = 0.02
POOLINGS = ("mean", "token")
POSITIONS = ("sincos", "learnt")


@MODEL_REGISTRY.register()
class VideoViT(nn.Module):
    """Input: clip (B, C, T, H, W), normalised float. Output: logits (B, K), in training and in evaluation alike.

    State-dict keys are those of VideoMAE's fine-tuning checkpoints; fixed positions are not stored. A clip of another
    size than the configured one is taken where tubelet and patch divide it: positions are resized to it on the fly.

    Args:
        num_classes: K; 0: no classifier, the output is the pooled feature (B, D).
        num_frames, crop_size: frames, and px of a side, of the clips whose grid the positions are made for.
        patch_size, tubelet_size: of a token, in px and in frames.
        embed_dim, depth, num_heads, mlp_ratio, mlp_dim: of the blocks; mlp_dim goes before mlp_ratio.
        in_channels: C.
        class_token: put a learnt token in front of the patches.
        pooling: "mean", over the patch tokens, then a LayerNorm, as published; "token", the first token, with a
            LayerNorm: the class token where there is one, else the first patch, as in VideoMAE without mean pooling.
        positions: "sincos", a fixed table over the sequence of patches (zeros for a class token), as published;
            "learnt", a parameter.
        head_dropout: before the classifier.
        dropout, attention_dropout: in the blocks: after attention's projection and the MLP, on attention weights.
        drop_path: probability that the last block skips a branch, growing linearly from 0; one draw a clip.
        init_std: scale of linear layers, class token and learnt positions at the start.
        head_init_scale: factor on the classifier's initial weights.
        act_checkpoint: recompute each block in the backward pass instead of keeping its activations.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    SECTION = "VIDEO_VIT"  # of the config, in messages
    RESIZING = "bicubic"  # of positions, in space

    def __init__(
        self,
        num_classes,
        num_frames,
        crop_size,
        *,
        patch_size=16,
        tubelet_size=2,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        mlp_dim=None,
        in_channels=3,
        class_token=False,
        pooling="mean",
        positions="sincos",
        head_dropout=0.0,
        dropout=0.0,
        attention_dropout=0.0,
        drop_path=0.0,
        init_std=INIT_STD,
        head_init_scale=0.001,
        act_checkpoint=False,
    ):
        super().__init__()
        problems = size_problems(
            num_frames=num_frames,
            crop_size=crop_size,
            patch_size=patch_size,
            tubelet_size=tubelet_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            pooling=pooling,
            positions=positions,
            section=self.SECTION,
        )
        if problems:
            raise ConfigError(problems)
        self.pooling = pooling
        self.num_prefix = int(class_token)
        self.patch_embed = PatchEmbed(in_channels, embed_dim, (tubelet_size, patch_size, patch_size))
        self.grid = self.patch_embed.grid((num_frames, crop_size, crop_size))
        self.cls_token = learnt_positions(1, 1, embed_dim, std=init_std) if class_token else None
        self._add_positions(positions, embed_dim, init_std)
        blocks = [
            Block(
                embed_dim,
                num_heads,
                mlp_ratio=mlp_ratio,
                mlp_dim=mlp_dim,
                key_bias=False,
                norm_eps=NORM_EPS,
                dropout=dropout,
                attention_dropout=attention_dropout,
                drop_path=rate,
            )
            for rate in depth_rates(drop_path, depth)
        ]
        self.blocks = BlockStack(blocks, act_checkpoint=act_checkpoint)
        self.norm = nn.LayerNorm(embed_dim, eps=NORM_EPS) if pooling == "token" else None
        self.fc_norm = nn.LayerNorm(embed_dim, eps=NORM_EPS) if pooling == "mean" else None
        self.head_drop = nn.Dropout(head_dropout)
        self.head = nn.Linear(embed_dim, num_classes) if num_classes else nn.Identity()
        self._initialise(init_std, head_init_scale)

    @classmethod
    def from_cfg(cls, cfg, *, num_classes=None, pooling=None, **further):
        """The model of a config; `num_classes` and `pooling` replace the config's where it is a larger model's encoder.

        Args: further: arguments that a subclass takes beside these.
        Raises: ConfigError with all sizes that do not fit, crop sizes included.
        """
        section = cfg.VIDEO_VIT
        width, depth, num_heads = vit.SIZES[section.SIZE]
        problems = vit.multiple_problem(
            cfg.DATA.TEST_CROP_SIZE, "DATA.TEST_CROP_SIZE", section.PATCH_SIZE, "VIDEO_VIT.PATCH_SIZE"
        )
        try:
            model = cls(
                cfg.MODEL.NUM_CLASSES if num_classes is None else num_classes,
                cfg.DATA.NUM_FRAMES,
                cfg.DATA.TRAIN_CROP_SIZE,
                patch_size=section.PATCH_SIZE,
                tubelet_size=section.TUBELET_SIZE,
                embed_dim=section.EMBED_DIM or width,
                depth=section.DEPTH or depth,
                num_heads=section.NUM_HEADS or num_heads,
                mlp_ratio=section.MLP_RATIO,
                in_channels=cfg.DATA.INPUT_CHANNEL_NUM[0],
                class_token=section.CLASS_TOKEN,
                pooling=pooling or section.POOLING,
                positions=section.POSITIONS,
                head_dropout=cfg.MODEL.DROPOUT_RATE,
                dropout=section.DROP_RATE,
                attention_dropout=section.DROP_ATTN_RATE,
                drop_path=section.DROP_PATH_RATE,
                init_std=section.INIT_STD,
                head_init_scale=section.HEAD_INIT_SCALE,
                act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
                **further,
            )
        except ConfigError as error:
            raise ConfigError(error.problems + problems) from None
        if problems:
            raise ConfigError(problems)
        return model

    @classmethod
    def clip_divisors(cls, cfg):
        """(frames, px) of which clips must be multiples."""
        return cfg.VIDEO_VIT.TUBELET_SIZE, cfg.VIDEO_VIT.PATCH_SIZE

    @property
    def num_layers(self):
        """Blocks, which `layer_of` counts."""
        return len(self.blocks)

    def layer_of(self, name):
        """Depth of a parameter: 0 embeddings, i + 1 block i, num_layers + 1 the norm and head after the blocks."""
        return vit.layer_of(name, self.num_layers)

    def no_weight_decay(self):
        """Learnt positions and class token; the recipe exempts 1-D parameters and biases too."""
        return {name for name, _ in self.named_parameters() if name in ("pos_embed", "cls_token")}

    def _add_positions(self, kind, dim, std):
        """pos_embed (1, N, D): a parameter, or a table that no state dict holds."""
        num_patches = self.grid[0] * self.grid[1] * self.grid[2]
        if kind == "learnt":
            self.pos_embed = learnt_positions(1, self.num_prefix + num_patches, dim, std=std)
            return
        table = torch.cat([torch.zeros(1, self.num_prefix, dim), sincos_positions(num_patches, dim)], dim=1)
        self.register_buffer("pos_embed", table, persistent=False)

    def _initialise(self, init_std, head_init_scale):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if isinstance(self.head, nn.Linear):
            with torch.no_grad():
                self.head.weight *= head_init_scale

    def forward(self, clip):
        """clip: (B, C, T, H, W) -> logits (B, K)."""
        return self.head(self.head_drop(self.pool(self.blocks(self.embed(clip)))))

    def embed(self, clip):
        """clip: (B, C, T, H, W) -> tokens with positions (B, N, D), patches time-major, then rows, then columns."""
        x = self.patch_embed(clip)  # (B, patches, D)
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)  # (B, N, D)
        grid = self.patch_embed.grid(clip.shape[2:])
        return x + resize_positions(self.pos_embed, self.grid, grid, self.num_prefix, mode=self.RESIZING)

    def pool(self, x):
        """x: tokens after the blocks (B, N, D) -> feature of the clip (B, D)."""
        if self.pooling == "mean":
            return self.fc_norm(x[:, self.num_prefix :].mean(dim=1))
        return self.norm(x[:, 0])


def size_problems(
    *, num_frames, crop_size, patch_size, tubelet_size, embed_dim, depth, num_heads, pooling, positions, section
):
    """What does not fit together, one sentence each, in the names of the config keys; empty when all is well."""
    problems = [
        f"{section}.{key} {value} must be at least 1."
        for key, value in (("EMBED_DIM", embed_dim), ("DEPTH", depth))
        if value < 1
    ]
    problems += vit.multiple_problem(num_frames, "DATA.NUM_FRAMES", tubelet_size, f"{section}.TUBELET_SIZE")
    problems += vit.multiple_problem(crop_size, "DATA.TRAIN_CROP_SIZE", patch_size, f"{section}.PATCH_SIZE")
    problems += vit.divisor_problem(num_heads, f"{section}.NUM_HEADS", embed_dim, f"{section}.EMBED_DIM")
    for key, value, known in (("POOLING", pooling, POOLINGS), ("POSITIONS", positions, POSITIONS)):
        if value not in known:
            problems.append(f"{section}.{key} '{value}' is unknown; known: {', '.join(known)}.")
    return problems
