"""Checkpoint files -> plain containers of tensors; nothing in a file is ever executed."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from slowfast.utils.errors import UserError

TORCH_SUFFIXES = (".pyth", ".pth", ".pt")
SAFETENSORS_SUFFIX = ".safetensors"
# where others put the state dict: PySlowFast and XViT; VideoMAE and timm; Lightning; DeepSpeed
NESTED_KEYS = ("model_state", "model", "state_dict", "module")
WRAPPER_PREFIX = "module."  # of models saved inside DataParallel or DistributedDataParallel


def read_checkpoint(path):
    """The whole content of a checkpoint file, on the CPU.

    Args:
        path: .pyth, .pth or .pt as torch.save writes them, or .safetensors.
    Returns:
        dict: what was saved; name -> tensor for safetensors.
    Raises:
        UserError: missing, damaged or foreign file, or one that could only be read by running code from it.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"checkpoint {path} {'is a folder' if path.is_dir() else 'does not exist'}; name a file.")
    if path.suffix == SAFETENSORS_SUFFIX:
        content = _read_safetensors(path)
    elif path.suffix in TORCH_SUFFIXES:
        content = _read_torch(path)
    else:
        known = ", ".join((*TORCH_SUFFIXES, SAFETENSORS_SUFFIX))
        raise UserError(f"checkpoint {path} has the unknown suffix '{path.suffix}'; readable: {known}.")
    if not isinstance(content, Mapping):
        raise UserError(f"checkpoint {path} holds a {type(content).__name__}, not a dictionary of tensors.")
    return content


def read_state_dict(path):
    """The model's state dict from a checkpoint file: unwrapped, without a wrapper's prefix.

    Args:
        path: as in read_checkpoint. The state dict may lie under model_state, model, state_dict or module.
    Returns:
        dict: parameter name -> tensor on the CPU; "module." is taken off where all names begin with it.
    Raises:
        UserError: as read_checkpoint, or the file holds no state dict.
    """
    state = read_checkpoint(path)
    while nested := next((key for key in NESTED_KEYS if isinstance(state.get(key), Mapping)), None):
        state = state[nested]
    others = [f"{key} ({type(value).__name__})" for key, value in state.items() if not torch.is_tensor(value)]
    if others or not state:
        found = f"there is also {', '.join(others[:6])}" if others else "it is empty"
        raise UserError(
            f"checkpoint {path} holds no plain state dict: {found}. Expected names with tensors, at the top or under "
            f"one of {', '.join(NESTED_KEYS)}."
        )
    if all(name.startswith(WRAPPER_PREFIX) for name in state):
        state = {name[len(WRAPPER_PREFIX) :]: tensor for name, tensor in state.items()}
    return dict(state)


def _read_safetensors(path):
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"checkpoint {path} is damaged, cut short or no safetensors file: {error}.") from error


def _read_torch(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"checkpoint {path} cannot be opened: {error.strerror or error}.") from error
    except Exception as error:  # torch raises KeyError, EOFError, RuntimeError, UnpicklingError ... on foreign bytes
        raise UserError(f"checkpoint {path} {_why_unreadable(error, path)}") from error


def _why_unreadable(error, path):
    """What torch.load's error means for the user, as the end of a sentence about the file."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    code = f"the Python object {named[1]}" if named else "TorchScript code" if "TorchScript" in str(error) else None
    if code:
        return (
            f"holds {code}, which cannot be read without running code; nothing of it was run. Where you trust its "
            "source, load it there and save the tensors alone: torch.save(model.state_dict(), 'weights.pth')."
        )
    return (
        f"is damaged, cut short or not written by torch.save ({path.stat().st_size} bytes). Copy or download it again."
    )
