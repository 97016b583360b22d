"""CAST: a CLIP stream that sees frames, a VideoMAE stream that sees tubelets, and an exchange in every block.

Lee et al. 2023, "CAST: Cross-Attention in Space and Time for Video Action Recognition", https://arxiv.org/abs/2311.18825
Numbers and behaviour of the released code: projects/cast/tests.
"""

# B clips, C channels, F frames, T = F / 2 time steps, H x W pixels, S places of the patch grid, D width, K classes
import torch
from torch import nn

from projects.cast.block import CLIP_NORM_EPS, VIDEOMAE_NORM_EPS, CastBlock
from projects.cast.layers import Adapter
from projects.cast.sizes import TUBELET_SIZE, input_problems, section_sizes, size_problems
from slowfast.config.derive import head_classes
from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.block import BlockStack
from slowfast.models.layers.drop_path import depth_rates
from slowfast.models.layers.patch_embed import PatchEmbed
from slowfast.models.layers.positions import resize_positions, sincos_positions
from slowfast.utils.errors import ConfigError

INIT_STD = 0.02
CLIP_EMBEDDINGS = ("clip_class_embedding", "clip_positional_embedding", "clip_conv1.", "clip_ln_pre.")
EXPERT_PARTS = ("clip_ln_1", "clip_attn", "clip_ln_2", "clip_mlp", "norm1", "attn", "norm2", "mlp")  # of a block
POSITION_NAMES = ("clip_time_pos", "clip_space_pos", "vmae_space_pos", "vmae_time_pos", "pos_embed")


@MODEL_REGISTRY.register()
class CAST(nn.Module):
    """Input: clip (B, C, F, H, W), normalised float. Output: logits (B, K), in training and in evaluation alike.

    State-dict keys are those of released CAST checkpoints; the temporal stream's fixed positions are not stored. A clip
    of another size than the configured one is taken where tubelet and patch divide it: positions are resized to it.

    Args:
        num_classes: K of the one head on both streams; or (verbs, nouns), a head on each stream: verbs on the temporal
            one, nouns on the spatial one, logits side by side in this order, K = verbs + nouns.
        num_frames, crop_size: frames, and px of a side, of the clips that positions are made for.
        patch_size: px, of both experts.
        embed_dim, depth, num_heads: of both experts.
        mlp_ratio: of the temporal expert.
        in_channels: C.
        down_ratio: embed_dim over the width in which the experts exchange.
        exchange_blocks: indices of the blocks that exchange; None: all.
        adapter_ratio: width of an adapter's middle over embed_dim.
        mlp_adapter_scale: factor on the adapters beside the MLPs.
        dropout: before the heads.
        drop_path: probability that the last block drops an update, growing linearly from 0; one draw a clip.
        train_experts: train the experts too; else only adapters, exchange, final norms and heads, as published.
        init_std: scale of linear layers and the class embedding at the start.
        head_init_scale: factor on the heads' initial weights.
        act_checkpoint: recompute each block in the backward pass instead of keeping its activations.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    def __init__(
        self,
        num_classes,
        num_frames,
        crop_size,
        *,
        patch_size=16,
        embed_dim=768,
        depth=12,
        num_heads=12,
        mlp_ratio=4.0,
        in_channels=3,
        down_ratio=2,
        exchange_blocks=None,
        adapter_ratio=0.25,
        mlp_adapter_scale=0.5,
        dropout=0.0,
        drop_path=0.0,
        train_experts=False,
        init_std=INIT_STD,
        head_init_scale=1.0,
        act_checkpoint=False,
    ):
        super().__init__()
        exchange_blocks = range(depth) if exchange_blocks is None else exchange_blocks
        problems = size_problems(
            num_frames=num_frames,
            crop_size=crop_size,
            patch_size=patch_size,
            embed_dim=embed_dim,
            depth=depth,
            num_heads=num_heads,
            down_ratio=down_ratio,
            adapter_ratio=adapter_ratio,
            exchange_blocks=exchange_blocks,
        )
        if problems:
            raise ConfigError(problems)
        self.patch_embed = PatchEmbed(in_channels, embed_dim, (TUBELET_SIZE, patch_size, patch_size))
        self.grid = self.patch_embed.grid((num_frames, crop_size, crop_size))
        self._add_spatial_embedding(in_channels, embed_dim, patch_size)
        table = sincos_positions(self.grid[0] * self.grid[1] * self.grid[2], embed_dim)
        self.register_buffer("pos_embed", table, persistent=False)
        blocks = [
            CastBlock(
                embed_dim,
                num_heads,
                self.grid,
                mlp_ratio=mlp_ratio,
                adapter_ratio=adapter_ratio,
                mlp_adapter_scale=mlp_adapter_scale,
                down_ratio=down_ratio if index in exchange_blocks else None,
                drop_path=rate,
            )
            for index, rate in enumerate(depth_rates(drop_path, depth))
        ]
        self.blocks = BlockStack(blocks, act_checkpoint=act_checkpoint)
        self.clip_ln_post = nn.LayerNorm(embed_dim, eps=CLIP_NORM_EPS)
        self.vmae_fc_norm = nn.LayerNorm(embed_dim, eps=VIDEOMAE_NORM_EPS)
        self._add_heads(num_classes, embed_dim, adapter_ratio, dropout)
        self._initialise(init_std, head_init_scale)
        if not train_experts:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_(not is_expert(name))

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, crop sizes included."""
        section = cfg.CAST
        problems = input_problems(cfg)
        try:
            model = cls(
                head_classes(cfg) or cfg.MODEL.NUM_CLASSES,
                cfg.DATA.NUM_FRAMES,
                cfg.DATA.TRAIN_CROP_SIZE,
                **section_sizes(section),
                mlp_ratio=section.MLP_RATIO,
                in_channels=cfg.DATA.INPUT_CHANNEL_NUM[0],
                down_ratio=section.DOWN_RATIO,
                exchange_blocks=section.EXCHANGE_BLOCKS,
                adapter_ratio=section.ADAPTER_RATIO,
                mlp_adapter_scale=section.MLP_ADAPTER_SCALE,
                dropout=cfg.MODEL.DROPOUT_RATE,
                drop_path=section.DROP_PATH_RATE,
                train_experts=section.TRAIN_EXPERTS,
                init_std=section.INIT_STD,
                head_init_scale=section.HEAD_INIT_SCALE,
                act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
                **cls.further_arguments(cfg),
            )
        except ConfigError as error:
            raise ConfigError(error.problems + problems) from None
        if problems:
            raise ConfigError(problems)
        return model

    @classmethod
    def further_arguments(cls, cfg):
        """What a class built on this one takes beside CAST's arguments, as a dict."""
        return {}

    @property
    def num_layers(self):
        """Blocks, which `layer_of` counts."""
        return len(self.blocks)

    def layer_of(self, name):
        """Depth of a parameter: 0 embeddings of both streams, i + 1 block i, num_layers + 1 what follows the blocks."""
        return 0 if name.startswith(CLIP_EMBEDDINGS) else vit.layer_of(name, self.num_layers)

    def no_weight_decay(self):
        """The exchange's positions; the recipe exempts 1-D parameters and biases too."""
        return {name for name, _ in self.named_parameters() if name.endswith(POSITION_NAMES)}

    def _add_spatial_embedding(self, in_channels, dim, patch):
        self.clip_conv1 = nn.Conv2d(in_channels, dim, patch, stride=patch, bias=False)
        self.clip_class_embedding = nn.Parameter(torch.zeros(dim))
        self.clip_positional_embedding = nn.Parameter(torch.zeros(1 + self.grid[1] * self.grid[2], dim))
        self.clip_ln_pre = nn.LayerNorm(dim, eps=CLIP_NORM_EPS)

    def _add_heads(self, num_classes, dim, adapter_ratio, dropout):
        self.head_drop = nn.Dropout(dropout)
        self.compositional = not isinstance(num_classes, int)
        if self.compositional:
            num_verbs, num_nouns = num_classes
            self.head_verb = nn.Linear(dim, num_verbs)
            self.head_noun = nn.Linear(dim, num_nouns)
        else:
            self.noun_last_Adapter = Adapter(dim, adapter_ratio, skip=False)
            self.verb_last_Adapter = Adapter(dim, adapter_ratio, skip=False)
            self.head = nn.Linear(dim, num_classes)

    def _initialise(self, init_std, head_init_scale):
        for name, parameter in self.named_parameters():
            if name.endswith((".D_fc2.weight", "cross_s_up.weight", "cross_t_up.weight")):
                nn.init.zeros_(parameter)
            elif name.endswith(".bias"):
                if "ln_" not in name and "norm" not in name and "patch_embed" not in name:
                    nn.init.zeros_(parameter)
            elif parameter.ndim == 2 and not name.endswith(POSITION_NAMES):
                nn.init.trunc_normal_(parameter, std=init_std)
        nn.init.trunc_normal_(self.clip_class_embedding, std=init_std)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.startswith("head") and name.endswith(".weight"):
                    parameter *= head_init_scale

    def forward(self, clip):
        """clip: (B, C, F, H, W) -> logits (B, K); with two heads those of the verbs, then those of the nouns."""
        space, time = self.features(clip)
        if self.compositional:
            return torch.cat([self.head_verb(self.head_drop(time)), self.head_noun(self.head_drop(space))], dim=-1)
        return self.head(self.head_drop(self.noun_last_Adapter(space) + self.verb_last_Adapter(time)))

    def features(self, clip):
        """clip: (B, C, F, H, W) -> features of the spatial and of the temporal stream, (B, D) each."""
        return self.encode(self.embed(clip))

    def encode(self, streams):
        """What `embed` gives -> features of the spatial and of the temporal stream, (B, D) each."""
        space, time, (steps, *_) = self.blocks(streams)
        class_tokens = space[:, 0].unflatten(0, (-1, steps))  # (B, T, D)
        return self.clip_ln_post(class_tokens.mean(dim=1)), self.vmae_fc_norm(time.mean(dim=1))

    def embed(self, clip):
        """clip: (B, C, F, H, W) -> spatial tokens (B * T, 1 + S, D), temporal tokens (B, T * S, D), (T, rows, columns).

        Raises: ValueError when tubelet or patch does not divide the clip.
        """
        grid = self.patch_embed.grid(clip.shape[2:])
        frames = clip[:, :, 1::TUBELET_SIZE].transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
        space = self.clip_conv1(frames).flatten(2).transpose(1, 2)  # (B * T, S, D)
        class_token = self.clip_class_embedding.to(space.dtype).expand(len(space), 1, -1)
        positions = resize_positions(self.clip_positional_embedding[None], self.grid[1:], grid[1:])
        space = self.clip_ln_pre(torch.cat([class_token, space], dim=1) + positions)
        time = self.patch_embed(clip) + resize_positions(self.pos_embed, self.grid, grid, num_prefix=0)
        return space, time, grid


def is_expert(name):
    """Whether a parameter comes from an expert and stays frozen in fine-tuning; the final norms are trained."""
    if name.startswith("blocks."):
        return name.split(".")[2] in EXPERT_PARTS
    return name.startswith((*CLIP_EMBEDDINGS, "patch_embed."))
