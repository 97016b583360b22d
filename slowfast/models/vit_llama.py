"""A plain video transformer whose tokens pass through frozen layers of a language model before they are pooled.

Pang et al. 2024, "Frozen Transformers in Language Models Are Effective Visual Encoder Layers",
https://arxiv.org/abs/2310.12973. Numbers and behaviour of the released code: tests/parity.
"""

# B clips, N tokens, D width of the vision part, L width of the language model, K classes
from torch import nn

from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.layers.frozen_linear import STORAGE
from slowfast.models.layers.llama import Llama
from slowfast.models.video_vit import VideoViT
from slowfast.utils.errors import ConfigError

BETWEEN = ("llama", "mlp")


class GeluNorm(nn.Module):
    """GELU, then a LayerNorm without weights: with the linear maps around it, an MLP that trains nothing of its own."""

    def __init__(self, dim):
        super().__init__()
        self.act = nn.GELU()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)

    def forward(self, x):
        """x: (..., L) -> (..., L)."""
        return self.norm(self.act(x))


@MODEL_REGISTRY.register()
class ViTLLaMA(VideoViT):
    """Input: clip (B, C, T, H, W), normalised float. Output: logits (B, K), in training and in evaluation alike.

    A VideoViT; after its blocks a linear map to the language model's width, the frozen layers, a linear map back, with
    no way around them. State-dict keys are those of the released checkpoints: the VideoViT's, llama.*,
    llama_dim_mapper1.weight and llama_dim_mapper2.weight. llama.* is never trained; `frozen_source` says where it came
    from, "" as long as it is random.

    Args:
        num_classes, num_frames, crop_size, vision: arguments of VideoViT.
        between: "llama", or "mlp": GeluNorm in place of the layers, the control with equally many trained parameters.
        num_layers: layers of the language model.
        llama_dim, llama_heads, llama_kv_heads, ffn_dim: their sizes; see LlamaLayer. llama_kv_heads 0: as llama_heads.
        llama_eps: eps of their norms.
        storage: type in which frozen weights are held, "fp32", "bf16" or "int8"; see FrozenLinear.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    def __init__(
        self,
        num_classes,
        num_frames,
        crop_size,
        *,
        between="llama",
        num_layers=1,
        llama_dim=4096,
        llama_heads=32,
        llama_kv_heads=0,
        ffn_dim=11008,
        llama_eps=1e-6,
        storage="fp32",
        **vision,
    ):
        problems = llama_problems(
            between=between,
            num_layers=num_layers,
            dim=llama_dim,
            num_heads=llama_heads,
            num_kv_heads=llama_kv_heads,
            ffn_dim=ffn_dim,
            storage=storage,
        )
        try:
            super().__init__(num_classes, num_frames, crop_size, **vision)
        except ConfigError as error:
            raise ConfigError(error.problems + problems) from None
        if problems:
            raise ConfigError(problems)
        width = self.patch_embed.proj.out_channels
        self.llama_dim_mapper1 = nn.Linear(width, llama_dim, bias=False)  # torch's own start, as released
        self.llama_dim_mapper2 = nn.Linear(llama_dim, width, bias=False)
        self.frozen_source = ""
        if between == "mlp":
            self.llama = GeluNorm(llama_dim)
        else:
            self.llama = Llama(
                num_layers,
                llama_dim,
                llama_heads,
                llama_kv_heads or llama_heads,
                ffn_dim,
                norm_eps=llama_eps,
                storage=storage,
                act_checkpoint=self.blocks.act_checkpoint,
            )

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, crop sizes included."""
        section = cfg.VIT_LLAMA
        return super().from_cfg(
            cfg,
            between=section.BETWEEN,
            num_layers=section.NUM_LAYERS,
            llama_dim=section.DIM,
            llama_heads=section.NUM_HEADS,
            llama_kv_heads=section.NUM_KV_HEADS,
            ffn_dim=section.FFN_DIM,
            llama_eps=section.NORM_EPS,
            storage=section.DTYPE,
        )

    def forward(self, clip):
        """clip: (B, C, T, H, W) -> logits (B, K)."""
        x = self.llama(self.llama_dim_mapper1(self.blocks(self.embed(clip))))  # (B, N, L)
        return self.head(self.head_drop(self.pool(self.llama_dim_mapper2(x))))


def llama_problems(*, between, num_layers, dim, num_heads, num_kv_heads, ffn_dim, storage):
    """What does not fit together, one sentence each, in the names of the config keys; empty when all is well."""
    problems = [
        f"VIT_LLAMA.{key} {value} must be at least 1."
        for key, value in (("NUM_LAYERS", num_layers), ("DIM", dim), ("FFN_DIM", ffn_dim))
        if value < 1
    ]
    problems += vit.divisor_problem(num_heads, "VIT_LLAMA.NUM_HEADS", dim, "VIT_LLAMA.DIM")
    if num_kv_heads:
        problems += vit.divisor_problem(num_kv_heads, "VIT_LLAMA.NUM_KV_HEADS", num_heads, "VIT_LLAMA.NUM_HEADS")
    for key, value, known in (("BETWEEN", between, BETWEEN), ("DTYPE", storage, tuple(STORAGE))):
        if value not in known:
            problems.append(f"VIT_LLAMA.{key} '{value}' is unknown; known: {', '.join(known)}.")
    return problems
