"""Sizes of XViT: what XVIT.BASE_MODEL names, and what of a configuration does not fit together."""

import re

from slowfast.models import vit
from slowfast.utils.errors import ConfigError

BASE_MODEL_NAME = re.compile(r"vit_(small|base|large)_patch(\d+)_224(_\w+)?")
CONSENSUS_TYPES = ("vit", "avg")


def backbone_sizes(xvit):
    """Sizes of the backbone: those that XVIT.BASE_MODEL names, unless a key of their own is set.

    Args:
        xvit: the cfg's XVIT section.
    Returns:
        dict of XViT's arguments patch_size, embed_dim, depth, num_heads, mlp_ratio.
    Raises:
        ConfigError naming the keys that are missing when BASE_MODEL names no size.
    """
    sizes = {"patch_size": None, "embed_dim": None, "depth": None, "num_heads": None, "mlp_ratio": 4.0}
    if name := BASE_MODEL_NAME.fullmatch(xvit.BASE_MODEL):
        sizes["embed_dim"], sizes["depth"], sizes["num_heads"] = vit.SIZES[name[1]]
        sizes["patch_size"] = int(name[2])
    sizes = {argument: xvit[argument.upper()] or named for argument, named in sizes.items()}
    missing = [f"XVIT.{argument.upper()}" for argument, value in sizes.items() if not value]
    if missing:
        raise ConfigError(
            f"XVIT.BASE_MODEL '{xvit.BASE_MODEL}' names no size of XViT: use vit_small_patch16_224, "
            f"vit_base_patch16_224 or vit_large_patch16_224 (any patch), or set {', '.join(missing)}."
        )
    return sizes


def input_problems(cfg, sizes):
    """What of the cfg does not fit the backbone's `sizes`: crops, and the width that the temporal head expects."""
    embed_dim = sizes["embed_dim"]
    problems = []
    for key in ("TRAIN_CROP_SIZE", "TEST_CROP_SIZE"):
        problems += vit.multiple_problem(cfg.DATA[key], f"DATA.{key}", sizes["patch_size"], "XVIT.PATCH_SIZE")
    if cfg.XVIT.CONSENSUS_TYPE == "vit" and cfg.TEMPORAL_HEAD.HIDDEN_DIM != embed_dim:
        problems.append(
            f"TEMPORAL_HEAD.HIDDEN_DIM {cfg.TEMPORAL_HEAD.HIDDEN_DIM} must equal XVIT.EMBED_DIM {embed_dim}: "
            "it takes the frame features as they are."
        )
    return problems


def size_problems(
    *,
    num_frames,
    patch_size,
    embed_dim,
    depth,
    num_heads,
    pretrain_image_size,
    num_temporal_embeddings,
    num_segments,
    shift_div,
    consensus,
    head_heads,
):
    """What does not fit together, one sentence each, in the names of the config keys; empty when all is well."""
    problems = []
    for key, value in (("XVIT.EMBED_DIM", embed_dim), ("XVIT.DEPTH", depth)):
        if value < 1:
            problems.append(f"{key} {value} must be at least 1.")
    problems += vit.divisor_problem(patch_size, "XVIT.PATCH_SIZE", pretrain_image_size, "XVIT.PRETRAIN_IMAGE_SIZE")
    problems += vit.divisor_problem(num_heads, "XVIT.NUM_HEADS", embed_dim, "XVIT.EMBED_DIM")
    problems += vit.divisor_problem(
        num_temporal_embeddings, "XVIT.NUM_TEMPORAL_EMBEDDINGS", num_frames, "DATA.NUM_FRAMES"
    )
    problems += vit.divisor_problem(num_segments, "XVIT.NUM_SEGMENTS", num_frames, "DATA.NUM_FRAMES")
    if not 2 <= shift_div <= embed_dim:
        problems.append(f"XVIT.SHIFT_DIV {shift_div} must lie between 2 and XVIT.EMBED_DIM {embed_dim}.")
    if consensus not in CONSENSUS_TYPES:
        problems.append(f"XVIT.CONSENSUS_TYPE '{consensus}' is unknown; known: {', '.join(CONSENSUS_TYPES)}.")
    if consensus == "vit":
        problems += vit.divisor_problem(head_heads, "TEMPORAL_HEAD.NUM_ATTENTION_HEADS", embed_dim, "XVIT.EMBED_DIM")
    return problems
