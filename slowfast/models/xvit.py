"""XViT: a frame-wise vision transformer whose keys and values are shifted along time.

Bulat et al. 2021, "Space-time Mixing Attention for Video Transformer", https://arxiv.org/abs/2106.05968
Numbers and behaviour of the released code: tests/parity.
"""

# B clips, C channels, F frames, H x W pixels, N tokens of a frame (class token first), D width, K classes

import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.block import Block, BlockStack
from slowfast.models.layers.drop_path import depth_rates
from slowfast.models.layers.patch_embed import PatchEmbed
from slowfast.models.layers.positions import learnt_positions, resize_positions
from slowfast.models.layers.time_shift import TimeShift
from slowfast.models.xvit_sizes import backbone_sizes, input_problems, size_problems
from slowfast.utils.errors import ConfigError

BACKBONE_NORM_EPS = 1e-6
INIT_STD = 0.02  # linear layers and the class token, as in the vision transformers that XViT starts from


@MODEL_REGISTRY.register()
class XViT(nn.Module):
    """Input: clip (B, C, F, H, W), normalised float. Output: logits (B, K), in training and in evaluation alike.

    Any frame size that the patch divides is taken, and any number of frames: positions are resized to them on the fly.
    Of another number of frames than F, as many groups as before are made, as long as that divides it, of those with the
    same temporal embeddings and of those that the shift mixes.

    Args:
        num_classes: K.
        num_frames: F.
        patch_size, embed_dim, depth, num_heads, mlp_ratio: of the backbone; patches in px.
        in_channels: C.
        pretrain_image_size: px; gives the grid on which spatial positions are stored.
        num_temporal_embeddings: frames are regrouped by this number and each group gets the same embeddings. The
            released models have 8 for 16 frames, so that frame 8 looks like frame 0; num_frames gives each its own.
        num_segments: frames within which keys and values are shifted. The released Kinetics models have 8 for 16
            frames, so that only the consensus mixes the halves of a clip; num_frames lets all frames mix.
        shift_div, shift_blocks: part of the channels (as a divisor) that moves each way, and in which blocks; indices
            beyond the depth are ignored.
        consensus: "vit", a small transformer over frame features, or "avg", the mean of frame logits.
        head_layers, head_heads, head_mlp_dim: of the "vit" consensus; head_mlp_dim is the classifier's hidden width.
        dropout: on frame features, and before the last layer of the "vit" consensus.
        attention_dropout, drop_path: of the backbone; drop_path is the last block's rate, one draw a clip.
        head_dropout, head_attention_dropout: of the transformer in the "vit" consensus.
        init_std: scale of linear layers at the start; narrow models need more than the published 0.02.
        pos_init_std, temp_init_std: scale of spatial positions and of temporal embeddings at the start; the released
            recipe starts from a pre-trained image model's positions and from temporal embeddings of zero.
        fc_init_std: scale of the "avg" consensus' classifier at the start; the "vit" consensus ends in a linear layer
            like any other.
        act_checkpoint: recompute each block in the backward pass instead of keeping its activations.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    def __init__(
        self,
        num_classes,
        num_frames,
        *,
        patch_size=16,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        in_channels=3,
        pretrain_image_size=224,
        num_temporal_embeddings=8,
        num_segments=8,
        shift_div=8,
        shift_blocks=(9, 10, 11),
        consensus="vit",
        head_layers=1,
        head_heads=12,
        head_mlp_dim=768,
        dropout=0.5,
        attention_dropout=0.0,
        drop_path=0.0,
        head_dropout=0.0,
        head_attention_dropout=0.0,
        init_std=INIT_STD,
        pos_init_std=0.02,
        temp_init_std=0.0,
        fc_init_std=0.001,
        act_checkpoint=False,
    ):
        super().__init__()
        problems = size_problems(
            num_frames=num_frames,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            pretrain_image_size=pretrain_image_size,
            num_temporal_embeddings=num_temporal_embeddings,
            num_segments=num_segments,
            shift_div=shift_div,
            consensus=consensus,
            head_heads=head_heads,
        )
        if problems:
            raise ConfigError(problems)
        self.base_model = FrameEncoder(
            num_frames,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            mlp_ratio=mlp_ratio,
            in_channels=in_channels,
            pretrain_image_size=pretrain_image_size,
            num_temporal_embeddings=num_temporal_embeddings,
            num_segments=num_segments,
            mixing={index: TimeShift(num_segments, shift_div) for index in shift_blocks},
            dropout=dropout,
            attention_dropout=attention_dropout,
            drop_path=drop_path,
            pos_init_std=pos_init_std,
            temp_init_std=temp_init_std,
            act_checkpoint=act_checkpoint,
        )
        self.new_fc = nn.Linear(embed_dim, num_classes)
        self.consensus = None
        if consensus == "vit":
            rates = {"dropout": head_dropout, "attention_dropout": head_attention_dropout}
            blocks = _temporal_blocks(head_layers, embed_dim, head_heads, **rates)
            self.consensus = TemporalHead(blocks, embed_dim, head_mlp_dim, num_classes, dropout=dropout)
            self.new_fc.requires_grad_(False)  # in released checkpoints, but without influence here
        self._initialise(init_std, fc_init_std)

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, crop sizes included."""
        sizes = backbone_sizes(cfg.XVIT)
        head = cfg.TEMPORAL_HEAD
        problems = input_problems(cfg, sizes)
        try:
            model = cls(
                cfg.MODEL.NUM_CLASSES,
                cfg.DATA.NUM_FRAMES,
                **sizes,
                in_channels=cfg.DATA.INPUT_CHANNEL_NUM[0],
                pretrain_image_size=cfg.XVIT.PRETRAIN_IMAGE_SIZE,
                num_temporal_embeddings=cfg.XVIT.NUM_TEMPORAL_EMBEDDINGS,
                num_segments=cfg.XVIT.NUM_SEGMENTS,
                shift_div=cfg.XVIT.SHIFT_DIV,
                shift_blocks=cfg.XVIT.LOCATIONS_LIST,
                consensus=cfg.XVIT.CONSENSUS_TYPE,
                head_layers=head.NUM_HIDDEN_LAYERS,
                head_heads=head.NUM_ATTENTION_HEADS,
                head_mlp_dim=head.MLP_DIM,
                dropout=cfg.MODEL.DROPOUT_RATE,
                attention_dropout=cfg.XVIT.BACKBONE.DROP_ATTN_RATE,
                drop_path=cfg.XVIT.BACKBONE.DROP_PATH_RATE,
                head_dropout=head.HIDDEN_DROPOUT_PROB,
                head_attention_dropout=head.ATTENTION_PROBS_DROPOUT_PROB,
                init_std=cfg.XVIT.INIT_STD,
                pos_init_std=cfg.XVIT.POS_INIT_STD,
                temp_init_std=cfg.XVIT.TEMP_INIT_STD,
                fc_init_std=cfg.XVIT.FC_INIT_STD,
                act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
            )
        except ConfigError as error:
            raise ConfigError(problems + error.problems) from None
        if problems:
            raise ConfigError(problems)
        return model

    @classmethod
    def clip_divisors(cls, cfg):
        """(frames, px) of which clips must be multiples."""
        return 1, backbone_sizes(cfg.XVIT)["patch_size"]

    @property
    def num_layers(self):
        """Blocks of the backbone, which `layer_of` counts."""
        return len(self.base_model.blocks)

    def layer_of(self, name):
        """Depth of a parameter: 0 embeddings, i + 1 block i of the backbone, num_layers + 1 norm and consensus."""
        return vit.layer_of(name, self.num_layers, prefix="base_model.")

    def no_weight_decay(self):
        """The recipe exempts the biases of modules whose name holds "head" or "new_fc", LayerNorm's included."""
        return {
            name
            for name, _ in self.named_parameters()
            if name.endswith(".bias") and ("head" in name or "new_fc" in name)
        }

    def _initialise(self, init_std, fc_init_std):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.new_fc.weight, std=fc_init_std)

    def forward(self, clip):
        """clip: (B, C, F, H, W) -> logits (B, K)."""
        num_frames = clip.shape[2]
        frames = clip.transpose(1, 2).flatten(0, 1)  # (B * F, C, H, W)
        features = self.base_model(frames, num_frames)  # (B * F, D)
        if self.consensus is None:
            return self.new_fc(features).unflatten(0, (-1, num_frames)).mean(dim=1)
        return self.consensus(features.unflatten(0, (-1, num_frames)))


class FrameEncoder(nn.Module):
    """The vision transformer that sees frames one by one, but for the mixing inside its blocks.

    Arguments as XViT's; `mixing` maps a block's index to what mixes its keys and values.
    """

    def __init__(
        self,
        num_frames,
        *,
        patch_size,
        embed_dim,
        depth,
        num_heads,
        mlp_ratio,
        in_channels,
        pretrain_image_size,
        num_temporal_embeddings,
        num_segments,
        mixing,
        dropout,
        attention_dropout,
        drop_path,
        pos_init_std,
        temp_init_std,
        act_checkpoint,
    ):
        super().__init__()
        self.num_frames, self.num_segments = num_frames, num_segments
        self.stored_grid = (pretrain_image_size // patch_size,) * 2
        num_patches = self.stored_grid[0] * self.stored_grid[1]
        self.cls_token = learnt_positions(1, 1, embed_dim, std=INIT_STD)
        self.pos_embed = learnt_positions(1, 1 + num_patches, embed_dim, std=pos_init_std)
        self.temp_embed = learnt_positions(1, num_temporal_embeddings, 1, embed_dim, std=temp_init_std)
        self.patch_embed = PatchEmbed(in_channels, embed_dim, (patch_size, patch_size))
        blocks = [
            Block(
                embed_dim,
                num_heads,
                mlp_ratio=mlp_ratio,
                norm_eps=BACKBONE_NORM_EPS,
                attention_dropout=attention_dropout,
                drop_path=rate,
                fold=num_frames,
                mix_keys_values=mixing.get(index),
            )
            for index, rate in enumerate(depth_rates(drop_path, depth))
        ]
        self.blocks = BlockStack(blocks, act_checkpoint=act_checkpoint)
        self.norm = nn.LayerNorm(embed_dim, eps=BACKBONE_NORM_EPS)
        self.head = nn.Dropout(dropout)

    def forward(self, frames, num_frames=None):
        """frames: (B * F, C, H, W) -> class token of each frame (B * F, D); F = `num_frames`, None: as built."""
        num_frames = num_frames or self.num_frames
        self._group(num_frames)
        x = self.patch_embed(frames)  # (B * F, N - 1, D)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)  # (B * F, N, D)
        x = x + resize_positions(self.pos_embed, self.stored_grid, self.patch_embed.grid(frames.shape[2:]))
        times = self._temporal_embeddings(num_frames)  # (1, frames of a group, 1, D)
        x = (x.unflatten(0, (-1, times.shape[1])) + times).flatten(0, 1)  # groups of frames
        return self.head(self.norm(self.blocks(x)[:, 0]))  # of the normalised tokens only the first is ever read

    def _temporal_embeddings(self, num_frames):
        stored = self.temp_embed.shape[1]
        wanted = resized_group(stored, self.num_frames, num_frames)
        if wanted == stored:
            return self.temp_embed
        table = self.temp_embed[:, :, 0].transpose(1, 2)  # (1, D, E)
        return F.interpolate(table, size=wanted, mode="linear", align_corners=False).transpose(1, 2)[:, :, None]

    def _group(self, num_frames):
        """Tell the layers that see frames as rows of the batch how many make a clip, or a segment, from now on."""
        for block in self.blocks:
            block.drop_path.fold = num_frames
            shift = block.attn.mix_keys_values
            if shift is not None:
                shift.num_segments = resized_group(self.num_segments, self.num_frames, num_frames)


def resized_group(size, num_frames, new_frames):
    """Frames of a group in a clip of another length: as many groups as before if that divides it, else fewer.

    Args:
        size: frames of a group in a clip of `num_frames`; a divisor of it.
        new_frames: of the other clip.
    """
    groups = num_frames // size
    return new_frames // next(n for n in range(min(groups, new_frames), 0, -1) if new_frames % n == 0)


def _temporal_blocks(count, dim, num_heads, *, dropout, attention_dropout):
    """Blocks of the transformer over frame features (B, T, D) in the "vit" consensus."""
    rates = {"dropout": dropout, "hidden_dropout": dropout, "attention_dropout": attention_dropout}
    return [Block(dim, num_heads, qkv_bias=False, **rates) for _ in range(count)]


class TemporalHead(nn.Module):
    """The "vit" consensus: a transformer over the frame features of a clip, and a classifier on its class token."""

    def __init__(self, blocks, dim, mlp_dim, num_classes, *, dropout):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.temporal_encoder = BlockStack(blocks)
        self.mlp_head = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, mlp_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(mlp_dim, num_classes)
        )

    def forward(self, features):
        """features: (B, F, D) -> logits (B, K)."""
        x = torch.cat([self.cls_token.expand(features.shape[0], -1, -1), features], dim=1)  # (B, 1 + F, D)
        return self.mlp_head(self.temporal_encoder(x)[:, 0])
