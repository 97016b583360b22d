"""Weight rules of EVAVideo: from EVA's image models, and from its video models of other clips."""

import math
from functools import partial

from slowfast.models.layers.positions import resize_positions
from slowfast.utils.errors import UserError
from slowfast.weights.fitting import inflate
from slowfast.weights.rules import WeightRules, weight_rules

IMAGE = {"mask_token": None, "norm.*": None, "lm_head.*": None}


@weight_rules("EVAVideo")
def eva_video(model):
    """Image kernels are inflated, image positions repeated for each time step, positions of other clips resized."""
    biases = {"blocks.{i}.attn.qkv.bias": ("blocks.{i}.attn.q_bias", None, "blocks.{i}.attn.v_bias")}
    return WeightRules(
        key_maps={"image EVA": IMAGE, "image ViT": {**IMAGE, **biases, "head.*": None, "pre_logits.*": None}},
        fit={"patch_embed.proj.weight": inflate},
        head=("head.*", "fc_norm.*"),
        classifier=("head.{weight,bias}",),
        prepare=partial(_with_positions, model=model),
    )


def _with_positions(state, model):
    """A state dict under the model's names, with positions of the model's grid.

    Raises: UserError: positions of a grid that nothing tells, or of another one while the model may not interpolate.
    """
    positions, kernel = state.get("pos_embed"), state.get("patch_embed.proj.weight")
    if positions is None or positions.ndim != 3 or positions.shape[-1] != model.pos_embed.shape[-1]:
        return state
    cells, grid = positions.shape[1] - model.num_prefix, model.grid
    if kernel is not None and kernel.ndim == 4:
        stored = (grid[0], *_square(cells))
        patches = positions[:, model.num_prefix :].repeat(1, grid[0], 1)
        positions = patches.new_empty(1, patches.shape[1] + model.num_prefix, patches.shape[2])
        positions[:, model.num_prefix :], positions[:, : model.num_prefix] = patches, state["pos_embed"][:, :1]
    else:
        stored = _video_grid(cells, model)
    if stored != grid and not model.interpolate:
        raise UserError(
            f"the checkpoint's positions are for {_words(stored)}, the model's clips have {_words(grid)}, and "
            "EVA_VIDEO.INTERPOLATE is False: set it True, or DATA.NUM_FRAMES and DATA.TRAIN_CROP_SIZE to the "
            "checkpoint's"
        )
    resized = resize_positions(positions.float(), stored, grid, model.num_prefix, mode=model.RESIZING)
    return {**state, "pos_embed": resized}


def _square(cells):
    side = math.isqrt(max(cells, 0))
    if not side or side * side != cells:
        raise UserError(f"the image checkpoint has {cells} positions, which are no square; name another checkpoint")
    return side, side


def _video_grid(cells, model):
    """(time, rows, columns) of a video checkpoint's positions: as configured, else the model's, else all it can be."""
    stored = model.stored_grid
    if stored and math.prod(stored) == cells:
        return stored
    if math.prod(model.grid) == cells:  # a checkpoint of this very model, or nothing else is said
        return model.grid
    if stored:
        raise UserError(
            f"the checkpoint has {cells} positions, but EVA_VIDEO.PRETRAIN_NUM_FRAMES and PRETRAIN_CROP_SIZE say "
            f"{math.prod(stored)}, {_words(stored)}, and the model {math.prod(model.grid)}, {_words(model.grid)}"
        )
    time, rows, columns = model.grid
    side = math.isqrt(cells // time)
    choices = {(time, side, side)} if time * side * side == cells else set()
    choices |= {(cells // (rows * columns), rows, columns)} if cells % (rows * columns) == 0 else set()
    if len(choices) != 1:
        raise UserError(
            f"the checkpoint has {cells} positions, the model {math.prod(model.grid)}, {_words(model.grid)}; how many "
            "frames they are for is not in the file: set EVA_VIDEO.PRETRAIN_NUM_FRAMES and PRETRAIN_CROP_SIZE to what "
            "it was trained with"
        )
    return choices.pop()


def _words(grid):
    time, rows, columns = grid
    return f"{time} time steps of {rows} x {columns} patches"
