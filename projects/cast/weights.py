"""Where CAST's weights come from: CLIP's and VideoMAE's files, or a CAST checkpoint, released or ours."""

from collections import namedtuple
from functools import partial

from projects.cast.model import is_expert
from slowfast.models.layers.positions import resize_positions
from slowfast.utils.errors import UserError
from slowfast.weights import WeightRules, fetch, load_pretrained, read_state_dict, starts_from, weight_rules
from slowfast.weights.fitting import resized_positions

Expert = namedtuple("Expert", "title key described")
EXPERTS = {
    "clip": Expert("CLIP", "CAST.CLIP_PATH", "https://github.com/openai/CLIP (ViT-B-16.pt, MIT licence)"),
    "videomae": Expert(
        "VideoMAE",
        "CAST.VIDEOMAE_PATH",
        "https://github.com/MCG-NJU/VideoMAE/blob/main/MODEL_ZOO.md (pre-training checkpoints, CC BY-NC 4.0)",
    ),
}
CLIP = {
    "proj": None,
    "head.*": None,
    "transformer.resblocks.{i}.*": "blocks.{i}.clip_*",
    "*": "clip_*",
}
VIDEOMAE = {
    **dict.fromkeys(("norm.*", "fc_norm.*", "head.*", "cls_token", "pos_embed", "mask_token"), None),
    **dict.fromkeys(("encoder.norm.*", "encoder.pos_embed", "backbone.norm.*"), None),
    **dict.fromkeys(("encoder_to_decoder.*", "decoder.*"), None),
    "encoder.*": "*",
    "backbone.*": "*",
}
TRAINED_ANEW = ("*Adapter*", "*cross*", "head*", "clip_ln_post.*", "vmae_fc_norm.*")


@weight_rules("CAST")
def cast(model):
    """Positions for another crop or number of frames are resized; what no expert has counts as head."""
    space = partial(_resized_places, grid=model.grid[1:])
    return WeightRules(
        key_maps={
            "CLIP's visual part": CLIP,
            "CLIP archive": {**{f"visual.{name}": target for name, target in CLIP.items()}, "*": None},
            "VideoMAE": VIDEOMAE,
        },
        fit={
            "clip_positional_embedding": partial(space, num_prefix=1),
            "*_space_pos": space,
            "*_time_pos": _resized_times,
        },
        head=TRAINED_ANEW,
    )


@starts_from("CAST")
def start_from_experts(model, cfg):
    """Fill both experts from CAST.CLIP_PATH and CAST.VIDEOMAE_PATH.

    Returns: texts for the log, one a file.
    Raises: UserError: a file is not named or missing, or does not hold the whole expert.
    """
    paths = {"clip": cfg.CAST.CLIP_PATH, "videomae": cfg.CAST.VIDEOMAE_PATH}
    missing = [name for name, path in paths.items() if not path]
    if missing and (len(missing) == 1 or not cfg.CAST.TRAIN_EXPERTS):
        raise UserError("; ".join(f"{EXPERTS[name].key} is empty: {_where(name)}" for name in missing))
    if missing:
        return ["both experts start from random weights, as CAST.TRAIN_EXPERTS allows"]
    texts = []
    for name, path in paths.items():
        try:
            local = fetch(path, cache_dir=cfg.WEIGHTS.CACHE_DIR)
        except UserError as error:
            raise UserError(f"{EXPERTS[name].key}: {error} You can {_where(name)}") from None
        report = load_expert(model, read_state_dict(local), name, f"{EXPERTS[name].key} {path}")
        texts.append(f"{EXPERTS[name].title} from {path}\n{report.table()}")
    return texts


def load_expert(model, state, name, origin="the file"):
    """Copy one expert into `model`.

    Args:
        model: CAST, changed in place.
        state: name -> tensor, of CLIP (the archive or its visual part) or of VideoMAE (pre-trained or fine-tuned).
        name: "clip" or "videomae".
        origin: what messages call the file.
    Returns:
        LoadReport.
    Raises:
        UserError: an entry of the expert is not in the file, or has another shape.
    """
    if name == "videomae":  # a fine-tuned one has a head, which is not CAST's
        state = {key: tensor for key, tensor in state.items() if not key.startswith("head.")}
    wanted = {key for key, _ in model.named_parameters() if is_expert(key) and is_of_clip(key) == (name == "clip")}
    report = load_pretrained(model, state)
    wrong = [entry for entry in report.dropped if entry[0] in wanted and entry[2] is not None]
    lacking = sorted(wanted & set(report.missing))
    title = EXPERTS[name].title
    if lacking:
        raise UserError(
            f"{origin} is no {title} checkpoint for this model: {len(lacking)} of {len(wanted)} entries are not in it, "
            f"{', '.join(lacking[:3])}, .... Check CAST.DEPTH and the file: {_where(name)}"
        )
    if wrong:
        shown = "; ".join(f"{key} {tuple(there)} in the file, {tuple(here)} here" for key, there, here in wrong[:3])
        raise UserError(
            f"{origin} is a {title} of other sizes: {shown}. Check CAST.SIZE, CAST.EMBED_DIM, CAST.PATCH_SIZE and, "
            "for VideoMAE, the tubelet, which is 2 frames"
        )
    return report


def is_of_clip(name):
    """Whether an expert's parameter belongs to the spatial stream."""
    return "clip_" in name


def _where(name):
    expert = EXPERTS[name]
    return (
        f"get {expert.title}'s weights as described at {expert.described}, or train them here "
        "(projects/cast/README.md), and name the file; nothing is downloaded unasked"
    )


def _resized_places(tensor, shape, *, grid, num_prefix=0):
    """Rows (prefix + places, D) for another grid; a square one in the file."""
    if tensor.ndim != 2:
        return None
    resized = resized_positions(tensor[None], (1, *shape), grid=grid, num_prefix=num_prefix)
    return None if resized is None else resized[0]


def _resized_times(tensor, shape):
    """Rows (times, D) for another number of time steps."""
    if tensor.ndim != 2 or tensor.shape[1] != shape[1]:
        return None
    return resize_positions(tensor.float()[None], (len(tensor), 1, 1), (shape[0], 1, 1), num_prefix=0)[0]
