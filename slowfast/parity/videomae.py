"""VideoMAE's pre-training network as its golden cases describe it."""

from torch.nn.functional import mse_loss

from slowfast.models.video_vit import VideoViT
from slowfast.models.videomae import VideoMAE
from slowfast.parity.subject import Subject, builds
from slowfast.tasks.masked_pretraining import MaskedPretraining

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, with which the cases' clips are normalised


@builds("VideoMAE-pretrain")
def build_videomae(case):
    """Beside the prediction, the targets and losses that the cases give for their own prediction."""
    hyper = case.hyper_parameters
    encoder = VideoViT(
        0,
        hyper["num_frames"],
        hyper["image_size"],
        patch_size=hyper["patch_size"],
        tubelet_size=hyper["tubelet_size"],
        embed_dim=hyper["embed_dim"],
        depth=hyper["depth"],
        num_heads=hyper["num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        in_channels=hyper["in_channels"],
        pooling="token",
        positions="learnt" if "encoder.pos_embed" in case.tensors["weight"] else "sincos",
    )
    model = VideoMAE(
        encoder,
        decoder_dim=hyper["decoder_embed_dim"],
        decoder_depth=hyper["decoder_depth"],
        decoder_heads=hyper["decoder_num_heads"],
        mlp_ratio=hyper["mlp_ratio"],
        mask_ratio=hyper["mask_ratio"],
    )
    task = MaskedPretraining(encoder.patch_embed.patch, mean=MEAN, std=STD)

    def run(inputs):
        video, mask = inputs["video"], inputs["mask"]
        hidden = mask.nonzero()[:, 1].view(len(mask), -1)  # every clip hides as many tokens
        prediction = model(video, hidden)
        standardised = task.targets(video, hidden)
        return {
            "masked_patch_prediction": prediction,
            "target_normalised": standardised,
            "mse_normalised": mse_loss(prediction, standardised).reshape(1),
            "mse_raw_pixels": mse_loss(prediction, task.patches(video, hidden).flatten(2)).reshape(1),
        }

    return Subject(model, run, feature_modules={"encoder_visible_tokens": "encoder.norm"})
