"""EVA's vision transformer on clips: all patches of all frames, and a class token, attend to each other in every block.

Fang et al. 2023, "EVA: Exploring the Limits of Masked Visual Representation Learning at Scale",
https://arxiv.org/abs/2211.07636, its part on video. Numbers and behaviour of the released code: tests/parity.
"""

# B clips, C channels, T frames, H x W pixels, D width, K classes
from slowfast.models import vit
from slowfast.models.build import MODEL_REGISTRY
from slowfast.models.video_vit import VideoViT
from slowfast.utils.errors import ConfigError

SIZES = {  # width, blocks, heads, hidden width of the MLP
    **{name: (*vit.SIZES[name], 4 * vit.SIZES[name][0]) for name in ("small", "base", "large")},
    "giant": (1408, 40, 16, 6144),
}


@MODEL_REGISTRY.register()
class EVAVideo(VideoViT):
    """Input: clip (B, C, T, H, W), normalised float. Output: logits (B, K), in training and in evaluation alike.

    A VideoViT with learnt positions over class token and patches, and the mean over the patches alone before the last
    norm. State-dict keys are those of the released checkpoints. Under autocast the residual stream, the norms and the
    sums inside the attention stay float32, as in the released code.

    Args:
        num_classes, num_frames, crop_size, sizes: arguments of VideoViT.
        patch_size, tubelet_size: of a token, in px and in frames.
        stored_grid: (time, rows, columns) of a video checkpoint's positions; None: what their number tells.
        interpolate: positions may be resized, of a checkpoint when it is loaded and for clips of another size; False:
            both are refused.
    Raises: ConfigError naming the keys of sizes that do not fit.
    """

    SECTION = "EVA_VIDEO"
    RESIZING = "bilinear"  # with the linear one in time: trilinear

    def __init__(
        self,
        num_classes,
        num_frames,
        crop_size,
        *,
        patch_size=14,
        tubelet_size=1,
        stored_grid=None,
        interpolate=True,
        **sizes,
    ):
        super().__init__(
            num_classes,
            num_frames,
            crop_size,
            patch_size=patch_size,
            tubelet_size=tubelet_size,
            class_token=True,
            positions="learnt",
            pooling="mean",
            **sizes,
        )
        self.stored_grid = stored_grid
        self.interpolate = interpolate

    @classmethod
    def from_cfg(cls, cfg):
        """Raises: ConfigError with all sizes that do not fit, crop sizes and the checkpoint's included."""
        section, data = cfg.EVA_VIDEO, cfg.DATA
        width, depth, num_heads, mlp_dim = SIZES[section.SIZE]
        stored_grid, problems = _stored_grid(section, data)
        problems += vit.multiple_problem(
            data.TEST_CROP_SIZE, "DATA.TEST_CROP_SIZE", section.PATCH_SIZE, "EVA_VIDEO.PATCH_SIZE"
        )
        if not section.INTERPOLATE:
            problems += _resizing_problems(cfg)
        try:
            model = cls(
                cfg.MODEL.NUM_CLASSES,
                data.NUM_FRAMES,
                data.TRAIN_CROP_SIZE,
                patch_size=section.PATCH_SIZE,
                tubelet_size=section.TUBELET_SIZE,
                embed_dim=section.EMBED_DIM or width,
                depth=section.DEPTH or depth,
                num_heads=section.NUM_HEADS or num_heads,
                mlp_dim=section.MLP_DIM or (4 * section.EMBED_DIM or mlp_dim),
                in_channels=data.INPUT_CHANNEL_NUM[0],
                head_dropout=cfg.MODEL.DROPOUT_RATE,
                drop_path=section.DROP_PATH_RATE,
                init_std=section.INIT_STD,
                head_init_scale=section.HEAD_INIT_SCALE,
                act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
                stored_grid=stored_grid,
                interpolate=section.INTERPOLATE,
            )
        except ConfigError as error:
            raise ConfigError(error.problems + problems) from None
        if problems:
            raise ConfigError(problems)
        return model

    @classmethod
    def clip_divisors(cls, cfg):
        """(frames, px) of which clips must be multiples."""
        return cfg.EVA_VIDEO.TUBELET_SIZE, cfg.EVA_VIDEO.PATCH_SIZE


def _stored_grid(section, data):
    """(grid of PRETRAIN_NUM_FRAMES and PRETRAIN_CROP_SIZE, or None, list of what does not fit)."""
    frames, crop = section.PRETRAIN_NUM_FRAMES, section.PRETRAIN_CROP_SIZE or data.TRAIN_CROP_SIZE
    if not frames:
        if section.PRETRAIN_CROP_SIZE:
            return None, ["EVA_VIDEO.PRETRAIN_CROP_SIZE needs EVA_VIDEO.PRETRAIN_NUM_FRAMES beside it, which is 0."]
        return None, []
    problems = vit.multiple_problem(
        frames, "EVA_VIDEO.PRETRAIN_NUM_FRAMES", section.TUBELET_SIZE, "EVA_VIDEO.TUBELET_SIZE"
    )
    if section.PRETRAIN_CROP_SIZE:
        problems += vit.multiple_problem(
            crop, "EVA_VIDEO.PRETRAIN_CROP_SIZE", section.PATCH_SIZE, "EVA_VIDEO.PATCH_SIZE"
        )
    side = crop // section.PATCH_SIZE
    return (frames // section.TUBELET_SIZE, side, side), problems


def _resizing_problems(cfg):
    """What asks for clips of several sizes, which EVA_VIDEO.INTERPOLATE False forbids."""
    train, test = cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE
    problems = []
    if cfg.TEST.ENABLE and test != train:
        problems.append(
            f"DATA.TEST_CROP_SIZE {test} is not DATA.TRAIN_CROP_SIZE {train}, and EVA_VIDEO.INTERPOLATE is False; "
            "make them equal or set it True."
        )
    if cfg.TRAIN.ENABLE and (cfg.MULTIGRID.LONG_CYCLE or cfg.MULTIGRID.SHORT_CYCLE):
        problems.append("MULTIGRID trains clips of several sizes, and EVA_VIDEO.INTERPOLATE is False; set it True.")
    return problems
