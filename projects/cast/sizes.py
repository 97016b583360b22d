"""Sizes of CAST: what CAST.SIZE names, and what of a configuration does not fit together."""

from slowfast.models import vit

TUBELET_SIZE = 2  # frames; the spatial stream sees the second one of each


def section_sizes(section):
    """Arguments patch_size, embed_dim, depth, num_heads from the cfg's CAST section; SIZE fills in the zeros."""
    width, depth, num_heads = vit.SIZES[section.SIZE]
    return {
        "patch_size": section.PATCH_SIZE,
        "embed_dim": section.EMBED_DIM or width,
        "depth": section.DEPTH or depth,
        "num_heads": section.NUM_HEADS or num_heads,
    }


def input_problems(cfg):
    """What of the crops does not fit the patches, one sentence each."""
    return vit.multiple_problem(cfg.DATA.TEST_CROP_SIZE, "DATA.TEST_CROP_SIZE", cfg.CAST.PATCH_SIZE, "CAST.PATCH_SIZE")


def expert_problems(*, crop_size, patch_size, embed_dim, depth, num_heads):
    """What of an expert does not fit together, one sentence each, in the names of the config keys."""
    problems = [
        f"CAST.{key} {value} must be at least 1."
        for key, value in (("EMBED_DIM", embed_dim), ("DEPTH", depth))
        if value < 1
    ]
    problems += vit.multiple_problem(crop_size, "DATA.TRAIN_CROP_SIZE", patch_size, "CAST.PATCH_SIZE")
    return problems + vit.divisor_problem(num_heads, "CAST.NUM_HEADS", embed_dim, "CAST.EMBED_DIM")


def size_problems(*, num_frames, down_ratio, adapter_ratio, exchange_blocks, **expert):
    """What does not fit together, one sentence each, in the names of the config keys; empty when all is well.

    Args: as CAST's; expert: as `expert_problems`.
    """
    problems = expert_problems(**expert)
    embed_dim, num_heads, depth = expert["embed_dim"], expert["num_heads"], expert["depth"]
    if down_ratio < 1:
        problems.append(f"CAST.DOWN_RATIO {down_ratio} must be at least 1.")
    if num_frames < TUBELET_SIZE or num_frames % TUBELET_SIZE:
        problems.append(f"DATA.NUM_FRAMES {num_frames} must be even: both streams see one time step for two frames.")
    if problems:
        return problems
    if embed_dim % down_ratio or embed_dim // down_ratio % num_heads:
        problems.append(
            f"CAST.DOWN_RATIO {down_ratio} makes a bottleneck of {embed_dim / down_ratio:g}, which must be a multiple "
            f"of CAST.NUM_HEADS {num_heads}."
        )
    if int(embed_dim * adapter_ratio) < 1:
        problems.append(f"CAST.ADAPTER_RATIO {adapter_ratio} leaves an adapter of CAST.EMBED_DIM {embed_dim} no width.")
    wrong = [index for index in exchange_blocks if index not in range(depth)]
    if wrong:
        problems.append(f"CAST.EXCHANGE_BLOCKS {wrong} are no blocks: CAST.DEPTH {depth} has 0 to {depth - 1}.")
    return problems
