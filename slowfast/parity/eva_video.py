"""EVA's video model as its golden cases describe it, and what becomes of its checkpoints."""

from torch import nn

from slowfast.models.eva_video import EVAVideo
from slowfast.parity.subject import Subject, builds
from slowfast.weights import load_pretrained


@builds("EVA-video")
def build_eva_video(case):
    """Inputs have their frames before their channels."""
    hyper = case.hyper_parameters
    model = EVAVideo(
        hyper["num_classes"],
        hyper["num_frames"],
        hyper["image_size"],
        patch_size=hyper["patch_size"],
        tubelet_size=hyper["tubelet_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_dim=hyper["mlp_hidden_dim"],
        in_channels=hyper["in_channels"],
    )
    features = {f"block{index}_tokens": f"blocks.{index}" for index in range(hyper["depth"])}
    features["pooled"] = "head_drop"
    return Subject(model, lambda inputs: {"logits": model(inputs["video"].transpose(1, 2))}, feature_modules=features)


@builds("EVA-checkpoint")
def build_conversions(case):
    """An image checkpoint inflated, a video checkpoint for other classes, frames and sizes, as training loads them."""
    hyper, tensors = case.hyper_parameters, case.tensors
    image, video = tensors["image_checkpoint"], tensors["video_checkpoint"]
    frames, side = hyper["video_frames"], hyper["image_grid"]
    inflated = _small(hyper, hyper["classes_before"], frames, side)
    load_pretrained(inflated, image)
    converted = _small(
        hyper,
        hyper["classes_after"],
        hyper["new_frames"],
        hyper["new_grid"],
        stored_grid=(frames // hyper["tubelet_size"], side, side),
    )
    load_pretrained(converted, video, tensors["input"]["class_mapping"].tolist())
    made = {"inflated": inflated.state_dict(), "converted": converted.state_dict()}
    outputs = {f"{group}/{name}": made[group][name] for group in made for name in tensors[group]}
    sources = ("image_checkpoint", "video_checkpoint")
    return Subject(nn.Module(), lambda inputs: outputs, feature_modules={}, targets=tuple(made), sources=sources)


def _small(hyper, num_classes, num_frames, side, **options):
    """A model with the case's embeddings and classifier; its one block is not looked at."""
    patch = {"patch_size": hyper["patch_size"], "tubelet_size": hyper["tubelet_size"]}
    sizes = {"embed_dim": hyper["embed_dim"], "depth": 1, "num_heads": 1, "mlp_dim": 1}
    return EVAVideo(num_classes, num_frames, side * hyper["patch_size"], **patch, **sizes, **options)
