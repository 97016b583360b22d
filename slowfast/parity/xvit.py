"""XViT as its golden cases describe it."""

from slowfast.models.layers.time_shift import TimeShift
from slowfast.models.xvit import XViT
from slowfast.parity.subject import Subject, builds, recorded_outputs


@builds("XViT")
def build_xvit(case):
    """Inputs named `positional_index` are left out: the published network ignores their values."""
    hyper = case.hyper_parameters
    head = {}
    if hyper["consensus"] == "vit":
        head = {
            "head_layers": hyper["temporal_head_layers"],
            "head_heads": hyper["temporal_head_heads"],
            "head_mlp_dim": hyper["temporal_head_mlp_dim"],
        }
    model = XViT(
        hyper["num_classes"],
        hyper["num_frames"],
        patch_size=hyper["patch_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        pretrain_image_size=hyper["pretrain_image_size"],
        num_temporal_embeddings=hyper["num_temporal_embeddings"],
        num_segments=hyper["num_segments"],
        shift_div=hyper["shift_div"],
        shift_blocks=hyper["shift_blocks"],
        consensus=hyper["consensus"],
        **head,
    )

    def run(inputs):
        with recorded_outputs(model, ["new_fc"]) as seen:
            logits = model(inputs["video"])
        if hyper["consensus"] == "avg" and hyper["num_segments"] < hyper["num_frames"]:
            # the published network then gives one prediction a group of frames; ours averages them over the clip
            logits = seen["new_fc"].unflatten(0, (-1, hyper["num_segments"])).mean(dim=1)
        return {"logits": logits}

    features = {f"block{index}_tokens": f"base_model.blocks.{index}" for index in range(hyper["depth"])}
    features["backbone_frame_features"] = "base_model"
    return Subject(
        model,
        run,
        feature_modules=features,
        units={"shift": lambda x: _shift_heads(TimeShift(hyper["num_segments"], hyper["shift_div"]), x)},
    )


def _shift_heads(shift, x):
    """x: keys or values split into heads (B, H, N, E), shifted as the model shifts them before the split."""
    return shift(x.transpose(1, 2).flatten(2)).unflatten(-1, (x.shape[1], -1)).transpose(1, 2)
