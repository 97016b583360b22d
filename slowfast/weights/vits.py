"""Weight rules of the vision transformers: XViT from image models, VideoViT from VideoMAE's pre-training and images."""

from functools import partial

from slowfast.weights.fitting import inflate, repeat_steps, resized_positions, unflatten
from slowfast.weights.rules import WeightRules, weight_rules


@weight_rules("XViT")
def xvit(model):
    """Starts from an image vision transformer. Spatial positions for another grid are resized bilinearly, as the
    released code would; temporal embeddings are repeated, so that each frame keeps the one it has there.
    """
    return WeightRules(
        key_maps={"image ViT": {"head.*": None, "pre_logits.*": None, "*": "base_model.*"}},
        fit={
            "base_model.pos_embed": partial(resized_positions, grid=model.base_model.stored_grid, mode="bilinear"),
            "base_model.temp_embed": repeat_steps,
            "base_model.patch_embed.proj.weight": unflatten,
        },
        head=("new_fc.*", "consensus.*"),
    )


@weight_rules("VideoViT")
def video_vit(model):
    """Starts from VideoMAE's encoder or an image vision transformer, whose key biases do not matter: softmax cancels
    them. The encoder's last norm is taken by a model that has its like; mean pooling normalises afresh.
    """
    own = model.state_dict()
    kept = {name: name if name in own else None for name in ("pos_embed", "cls_token")}
    norm = {"norm.{weight,bias}": "norm.{weight,bias}" if "norm.weight" in own else None}
    encoder = {
        f"{prefix}{name}": target for prefix in ("encoder.", "backbone.") for name, target in (kept | norm).items()
    }
    return WeightRules(
        key_maps={
            "VideoMAE pre-training": {
                **encoder,
                "encoder.*": "*",
                "backbone.*": "*",
                "decoder.*": None,
                "encoder_to_decoder.*": None,
                "mask_token": None,
            },
            "image ViT": {
                **kept,
                **norm,
                "blocks.{i}.attn.qkv.bias": ("blocks.{i}.attn.q_bias", None, "blocks.{i}.attn.v_bias"),
                "head.*": None,
                "pre_logits.*": None,
            },
        },
        fit={
            "pos_embed": partial(resized_positions, grid=model.grid, num_prefix=model.num_prefix),
            "patch_embed.proj.weight": inflate,
        },
        head=("head.*", "fc_norm.*"),
        classifier=("head.{weight,bias}",),
    )
