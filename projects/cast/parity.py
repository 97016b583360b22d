"""CAST as its golden cases describe it."""

from projects.cast.model import CAST
from slowfast.parity.subject import Subject, builds


@builds("CAST")
def build_cast(case):
    """One head, or verb and noun heads; the released network gives nouns first, ours verbs."""
    hyper = case.hyper_parameters
    model = cast_of(hyper)

    def run(inputs):
        logits = model(inputs["video"])
        if not hyper["composition"]:
            return {"logits": logits}
        verb, noun = logits.split([hyper["num_verbs"], hyper["num_nouns"]], dim=-1)
        return {"noun": noun, "verb": verb}

    features = {"spatial_pooled": "clip_ln_post", "temporal_pooled": "vmae_fc_norm"}
    for index in range(hyper["depth"]):
        features[f"block{index}_spatial_tokens"] = (f"blocks.{index}", 0)
        features[f"block{index}_temporal_tokens"] = (f"blocks.{index}", 1)
    return Subject(model, run, feature_modules=features)


def cast_of(hyper):
    """CAST with a case's hyper-parameters."""
    return CAST(
        (hyper["num_verbs"], hyper["num_nouns"]) if hyper["composition"] else hyper["num_classes"],
        hyper["num_frames"],
        hyper["image_size"],
        patch_size=hyper["patch_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        down_ratio=hyper["down_ratio"],
        adapter_ratio=hyper["adapter_ratio"],
        mlp_adapter_scale=hyper.get("mlp_adapter_scale", 0.5),
    )
