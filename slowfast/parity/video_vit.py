"""VideoMAE's fine-tuning network as its golden cases describe it."""

from slowfast.models.video_vit import VideoViT
from slowfast.parity.subject import Subject, builds


@builds("VideoMAE-finetune")
def build_video_vit(case):
    """A class token and learnt positions are there where the case's weights hold them."""
    hyper, weights = case.hyper_parameters, case.tensors["weight"]
    model = VideoViT(
        hyper["num_classes"],
        hyper["num_frames"],
        hyper["image_size"],
        patch_size=hyper["patch_size"],
        tubelet_size=hyper["tubelet_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        class_token="cls_token" in weights,
        pooling="mean" if hyper["pooling"] == "mean" else "token",
        positions="learnt" if "pos_embed" in weights else "sincos",
    )
    features = {f"block{index}_tokens": f"blocks.{index}" for index in range(hyper["depth"])}
    features["pooled"] = "head_drop"
    return Subject(model, lambda inputs: {"logits": model(inputs["video"])}, feature_modules=features)
