"""VideoMAE's pre-training network: an encoder sees the few tokens that are not hidden, a small decoder paints the rest.

Tong et al. 2022, "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video Pre-Training",
https://arxiv.org/abs/2203.12602. Numbers and behaviour of the released code: tests/parity.
"""

# B clips, C channels, T frames, H x W pixels, N tokens, V visible and M hidden ones, D and E width of encoder and
# decoder, P values of a token's pixels
import math

import torch
from torch import nn

from slowfast.config import derive
from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.block import Block, BlockStack
from slowfast.models.layers.positions import learnt_positions, resize_positions, sincos_positions
from slowfast.models.video_vit import NORM_EPS, VideoViT
from slowfast.utils.errors import ConfigError
from slowfast.utils.tube_masks import even_tube, num_hidden_patches

MASK_TOKEN_STD = 0.02
DECODER_DEPTHS = {"small": 4, "base": 4, "large": 12, "huge": 12}


class Decoder(nn.Module):
    """Blocks over all tokens, then norm and a linear layer to pixels on the hidden ones.

    State-dict keys blocks.*, norm.*, head.*.

    Args:
        dim, depth, num_heads, mlp_ratio: of the blocks.
        num_outputs: P.
        act_checkpoint: see BlockStack.
    """

    def __init__(self, dim, depth, num_heads, num_outputs, *, mlp_ratio=4.0, act_checkpoint=False):
        super().__init__()
        blocks = [Block(dim, num_heads, mlp_ratio=mlp_ratio, key_bias=False, norm_eps=NORM_EPS) for _ in range(depth)]
        self.blocks = BlockStack(blocks, act_checkpoint=act_checkpoint)
        self.norm = nn.LayerNorm(dim, eps=NORM_EPS)
        self.head = nn.Linear(dim, num_outputs)

    def forward(self, x, num_hidden):
        """x: (B, N, E), the hidden tokens last -> pixels of these (B, num_hidden, P)."""
        return self.head(self.norm(self.blocks(x)[:, x.shape[1] - num_hidden :]))


@MODEL_REGISTRY.register()
class VideoMAE(nn.Module):
    """Input: clip (B, C, T, H, W), normalised float, and the hidden tokens. Output: their pixels (B, M, P).

    P runs over a token's frames, rows, columns and, fastest, its colour channels. State-dict keys are those of
    VideoMAE's pre-training checkpoints; fixed positions are not stored.

    Args:
        encoder: VideoViT without classifier and class token, with pooling "token" for its last norm.
        decoder_dim, decoder_depth, decoder_heads, mlp_ratio: of the decoder's blocks.
        mask_ratio: part of the patches hidden where a call does not say which; see `forward`.
        act_checkpoint: recompute each block of the decoder in the backward pass.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    def __init__(
        self,
        encoder,
        *,
        decoder_dim=384,
        decoder_depth=4,
        decoder_heads=6,
        mlp_ratio=4.0,
        mask_ratio=0.9,
        act_checkpoint=False,
    ):
        super().__init__()
        problems = decoder_problems(decoder_dim, decoder_depth, decoder_heads, mask_ratio, encoder.grid)
        if encoder.num_prefix:
            problems.append("VIDEO_VIT.CLASS_TOKEN True: pre-training has no use for a class token; set it False.")
        if problems:
            raise ConfigError(problems)
        self.encoder = encoder
        self.mask_ratio = mask_ratio
        width, in_channels, *patch = encoder.patch_embed.proj.weight.shape
        self.encoder_to_decoder = nn.Linear(width, decoder_dim, bias=False)
        self.mask_token = learnt_positions(1, 1, decoder_dim, std=MASK_TOKEN_STD)
        self.decoder = Decoder(
            decoder_dim,
            decoder_depth,
            decoder_heads,
            in_channels * math.prod(patch),
            mlp_ratio=mlp_ratio,
            act_checkpoint=act_checkpoint,
        )
        table = sincos_positions(math.prod(encoder.grid), decoder_dim)
        self.register_buffer("decoder_positions", table, persistent=False)
        self._initialise()

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, and for a task that this model is not for."""
        if derive.task_name(cfg) != "masked_pretraining":
            raise ConfigError("MODEL.MODEL_NAME VideoMAE predicts pixels, not classes; set TASK masked_pretraining.")
        encoder = VideoViT.from_cfg(cfg, num_classes=0, pooling="token")
        section = cfg.VIDEO_MAE
        width, heads = encoder.patch_embed.proj.out_channels, encoder.blocks[0].attn.num_heads
        return cls(
            encoder,
            decoder_dim=section.DECODER_EMBED_DIM or width // 2,
            decoder_depth=section.DECODER_DEPTH or DECODER_DEPTHS[cfg.VIDEO_VIT.SIZE],
            decoder_heads=section.DECODER_NUM_HEADS or max(heads // 2, 1),
            mlp_ratio=cfg.VIDEO_VIT.MLP_RATIO,
            mask_ratio=section.MASK_RATIO,
            act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
        )

    @property
    def num_layers(self):
        """Blocks of the encoder, which `layer_of` counts."""
        return self.encoder.num_layers

    def layer_of(self, name):
        """Depth of a parameter: 0 embeddings, i + 1 the encoder's block i, num_layers + 1 all that follows them."""
        return vit.layer_of(name, self.num_layers, prefix="encoder.")

    def no_weight_decay(self):
        """The mask token and the encoder's learnt positions; the recipe exempts 1-D parameters and biases too."""
        return {"mask_token", *(f"encoder.{name}" for name in self.encoder.no_weight_decay())}

    def _initialise(self):
        """Linear layers as in He et al. 2021, https://arxiv.org/abs/2111.06377, appendix A.1."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, clip, hidden=None):
        """Pixels of the hidden tokens, in their order.

        Args:
            clip: (B, C, T, H, W).
            hidden: int64 (B, M), for each clip the hidden tokens' numbers, ascending; None: an evenly spread tube mask
                of `mask_ratio`, the same for all clips, for measurements of cost.
        Returns:
            (B, M, P).
        """
        grid = self.encoder.patch_embed.grid(clip.shape[2:])
        tokens = self.encoder.embed(clip)  # (B, N, D)
        if hidden is None:
            hidden = even_tube(grid, self.mask_ratio).to(clip.device).expand(len(clip), -1)
        visible = others(hidden, tokens.shape[1])
        seen = self.encoder.norm(self.encoder.blocks(take(tokens, visible)))  # (B, V, D)
        seen = self.encoder_to_decoder(seen)  # (B, V, E)
        positions = resize_positions(self.decoder_positions, self.encoder.grid, grid, 0).expand(len(clip), -1, -1)
        painted = self.mask_token + take(positions, hidden)  # (B, M, E)
        return self.decoder(torch.cat([seen + take(positions, visible), painted], dim=1), hidden.shape[1])


def take(tokens, index):
    """tokens (B, N, D), index int64 (B, M) -> (B, M, D)."""
    return tokens.gather(1, index[..., None].expand(-1, -1, tokens.shape[-1]))


def others(index, num_tokens):
    """index int64 (B, M), no token twice -> the num_tokens - M tokens that it leaves out, ascending, (B, V)."""
    taken = torch.zeros(len(index), num_tokens, dtype=torch.uint8, device=index.device).scatter_(1, index, 1)
    return taken.argsort(dim=1, stable=True)[:, : num_tokens - index.shape[1]]


def decoder_problems(dim, depth, num_heads, mask_ratio, grid):
    """What does not fit, one sentence each, in the names of the config keys; empty when all is well."""
    problems = [
        f"VIDEO_MAE.{key} {value} must be at least 1."
        for key, value in (("DECODER_EMBED_DIM", dim), ("DECODER_DEPTH", depth))
        if value < 1
    ]
    problems += vit.divisor_problem(num_heads, "VIDEO_MAE.DECODER_NUM_HEADS", dim, "VIDEO_MAE.DECODER_EMBED_DIM")
    num_patches = grid[1] * grid[2]
    if not 0 < num_hidden_patches(mask_ratio, num_patches) < num_patches:
        problems.append(
            f"VIDEO_MAE.MASK_RATIO {mask_ratio} hides {num_hidden_patches(mask_ratio, num_patches)} of {num_patches} "
            f"patches of a frame; take a part of at least 1 / {num_patches} and less than 1."
        )
    return problems
