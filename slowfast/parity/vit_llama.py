"""ViT-LLaMA as its golden cases describe it."""

from slowfast.models.vit_llama import ViTLLaMA
from slowfast.parity.subject import Subject, builds


@builds("ViT-LLaMA")
def build_vit_llama(case):
    """Widths of keys and of the feed-forward part are told by the case's weights."""
    hyper, weights = case.hyper_parameters, case.tensors["weight"]
    head_dim = hyper["llm_dim"] // hyper["llm_num_heads"]
    model = ViTLLaMA(
        hyper["num_classes"],
        hyper["num_frames"],
        hyper["image_size"],
        num_layers=hyper["llm_last_layer_exclusive"] - hyper["llm_first_layer"],
        llama_dim=hyper["llm_dim"],
        llama_heads=hyper["llm_num_heads"],
        llama_kv_heads=len(weights["llama.layers.0.attention.wk.weight"]) // head_dim,
        ffn_dim=len(weights["llama.layers.0.feed_forward.w1.weight"]),
        llama_eps=hyper["llm_norm_eps"],
        patch_size=hyper["patch_size"],
        tubelet_size=hyper["tubelet_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        class_token="cls_token" in weights,
        pooling="mean" if "fc_norm.weight" in weights else "token",
        positions="learnt" if "pos_embed" in weights else "sincos",
    )
    return Subject(
        model,
        lambda inputs: {"logits": model(inputs["video"])},
        feature_modules={"after_vit_blocks": "blocks", "after_llm": "llama", "pooled": "head_drop"},
    )
