"""Checkpoints without the frozen part of a model: what was trained, and the SHA-256 of what was not.

The frozen part comes back from where the run itself took it, and has to be the same to the bit.
"""

import hashlib

import torch

from slowfast.utils.errors import UserError
from slowfast.weights.fetch import fetch
from slowfast.weights.load import load_pretrained
from slowfast.weights.read import read_checkpoint, state_dict_of
from slowfast.weights.start import start

DIGEST = "frozen_sha256"  # entry of a checkpoint that lacks the frozen part
SOURCE = "frozen_source"  # entry beside it: where the frozen part came from, where the model knows


def frozen_part(model):
    """name -> tensor of the parameters that are not trained, in the order of their names."""
    state, parameters = model.state_dict(), dict(model.named_parameters())
    return {name: state[name] for name in sorted(state) if name in parameters and not parameters[name].requires_grad}


def frozen_digest(model):
    """Hex SHA-256 over names, types, shapes and bytes of the frozen parameters."""
    digest = hashlib.sha256()
    for name, tensor in frozen_part(model).items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def without_frozen(payload, model, digest):
    """A checkpoint's content without the model's frozen parameters.

    Args: payload: `TrainState.state_dict()`. digest: `frozen_digest(model)`, which does not change while training.
    """
    frozen = frozen_part(model)
    trained = {name: tensor for name, tensor in payload["model_state"].items() if name not in frozen}
    return {**payload, "model_state": trained, DIGEST: digest, SOURCE: source_of(model)}


def source_of(model):
    """In words, where a model's frozen part came from, if it is one that gets it elsewhere; else ""."""
    return getattr(model, SOURCE, "")


def fill_frozen(model, cfg, filled):
    """Take the frozen part from where the model's class starts, unless a checkpoint has given some of it already.

    Args: filled: names that the checkpoint gave.
    Returns: texts for the log.
    """
    frozen = frozen_part(model).keys()
    return start(model, cfg) if frozen and frozen.isdisjoint(filled) else []


def complete(content, model, cfg, location):
    """A checkpoint's content with the frozen part in it; `content` itself where nothing was left out.

    Args:
        content: from read_checkpoint.
        model: of the run; where something was left out, its frozen part is filled from TRAIN.CHECKPOINT_FILE_PATH, or
            from what its class starts from (`weights.start`).
        cfg: of the run.
        location: what messages call the checkpoint.
    Raises:
        UserError: the frozen part is another one than the checkpoint was trained with, or cannot be had.
    """
    if not isinstance(content, dict) or DIGEST not in content:
        return content
    filled, source = [], cfg.TRAIN.CHECKPOINT_FILE_PATH
    if source and (whole := _whole(fetch(source, cache_dir=cfg.WEIGHTS.CACHE_DIR))):
        filled = load_pretrained(model, whole).filled
    fill_frozen(model, cfg, filled)
    if frozen_digest(model) != content[DIGEST]:
        told = f" ({content[SOURCE]})" if content.get(SOURCE) else ""
        raise UserError(
            f"{location} holds only what was trained; the frozen weights here have another SHA-256 than the "
            f"{content[DIGEST][:12]}...{told} that it was trained with. Name the same files as for training "
            "in TRAIN.CHECKPOINT_FILE_PATH or the model's own keys, and keep MODEL.FREEZE and MODEL.TRAINABLE"
        )
    frozen = {name: tensor.cpu() for name, tensor in frozen_part(model).items()}
    return {**content, "model_state": {**frozen, **content["model_state"]}}


def _whole(path):
    """State dict of a checkpoint that lacks nothing; None for one that does."""
    content = read_checkpoint(path)
    return None if DIGEST in content else state_dict_of(content, path)
