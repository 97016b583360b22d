"""Checkpoint files of any origin -> plain containers of tensors; nothing in a file is ever executed."""

import zipfile
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from slowfast.utils.errors import UserError
from slowfast.weights.fetch import INDEX_SUFFIX, fetch, read_index
from slowfast.weights.jax_vit import is_jax_vit, read_npz, to_torch_names
from slowfast.weights.pages import refuse_pages
from slowfast.weights.shards import is_in_shards
from slowfast.weights.torch_files import read_torch_file, read_torchscript

# where others put the state dict: PySlowFast and XViT; VideoMAE and timm; Lightning; DeepSpeed
NESTED_KEYS = ("model_state", "model", "state_dict", "module")
WRAPPER_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and DistributedDataParallel, of torch.compile


def read_checkpoint(location, *, sha256="", cache_dir="", parts=None):
    """The whole content of a checkpoint, on the CPU; tensors that lie in shards beside the file are joined.

    The format is told by the file's first bytes, whatever its name: torch.save (zipped or older), a TorchScript
    archive, .npz, safetensors, or an index (*.index.json) of such files. Of TorchScript, the tensors alone are read.

    Args:
        location: local path or URL; see `fetch` for sha256 and cache_dir.
        parts: entries of which the shards are wanted, such as ("model_state",); None: all.
    Returns:
        Mapping: what was saved; name -> tensor for all but torch.save.
    Raises:
        UserError: missing, damaged or foreign file or shard, or one that could only be read by running code from it.
    """
    path = fetch(location, sha256=sha256, cache_dir=cache_dir)
    content = read_file(path)
    if not is_in_shards(content):
        return content
    from slowfast.weights.shard_reader import joined  # torch's part for it takes half a second to import

    return joined(content, path, parts)


def read_file(path):
    """As `read_checkpoint`, of a local Path, and without what may lie in shards beside it."""
    if path.name.endswith(INDEX_SUFFIX):
        return _read_parts(path)
    content = _reader(path)(path)
    if not isinstance(content, Mapping):
        raise UserError(f"checkpoint {path} holds a {type(content).__name__}, not a dictionary of tensors.")
    return content


def read_state_dict(location, *, sha256="", cache_dir=""):
    """The model's state dict from a checkpoint file; see `read_checkpoint` and `state_dict_of`."""
    return state_dict_of(read_checkpoint(location, sha256=sha256, cache_dir=cache_dir), location)


def state_dict_of(content, location):
    """The model's state dict from a checkpoint's content: unwrapped, without a wrapper's prefix.

    Args:
        content: from read_checkpoint. The state dict may lie under model_state, model, state_dict or module.
        location: of the file, for messages.
    Returns:
        dict: parameter name -> tensor on the CPU; "module." is taken off where all names begin with it, and arrays of
        a JAX vision transformer have timm's names and layouts.
    Raises:
        UserError: there is no state dict.
    """
    state = content
    while nested := next((key for key in NESTED_KEYS if isinstance(state.get(key), Mapping)), None):
        state = state[nested]
    others = [
        f"{key} ({type(value).__name__})"
        for key, value in state.items()
        if not (isinstance(key, str) and torch.is_tensor(value))
    ]
    if others or not state:
        found = f"there is also {', '.join(others[:6])}" if others else "it is empty"
        raise UserError(
            f"checkpoint {location} holds no plain state dict: {found}. Expected names with tensors, at the top or "
            f"under one of {', '.join(NESTED_KEYS)}."
        )
    while prefix := next((known for known in WRAPPER_PREFIXES if all(name.startswith(known) for name in state)), None):
        state = {name[len(prefix) :]: tensor for name, tensor in state.items()}
    if not is_jax_vit(state):
        return dict(state)
    try:
        return to_torch_names(state)
    except (KeyError, IndexError, RuntimeError) as error:
        raise UserError(f"checkpoint {location} is no whole JAX vision transformer: {error!r}.") from error


def _reader(path):
    """The function that reads a file's format, by its first bytes."""
    refuse_pages(path)
    with open(path, "rb") as file:
        start = file.read(9)
    names = _zipped_names(path) if start[:2] == b"PK" else []
    if any(name.endswith("/constants.pkl") for name in names):
        return read_torchscript
    if names and all(name.endswith(".npy") for name in names):
        return read_npz
    if start[8:] == b"{" or path.suffix == ".safetensors":
        return _read_safetensors
    return read_torch_file


def _zipped_names(path):
    """Names in a zip archive; none where its directory is damaged, for which torch's reader has the error."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # ValueError: a name that is no text
        return []


def _read_safetensors(path):
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"checkpoint {path} is damaged, cut short or no safetensors file: {error}.") from error


def _read_parts(index):
    """One state dict from the files that an index names."""
    files, state = read_index(index), {}
    for part in dict.fromkeys(files.values()):
        path = index.with_name(part)
        if not path.is_file():
            raise UserError(f"checkpoint {index} needs {path}, which is not there. Copy or download all parts.")
        state.update(state_dict_of(read_checkpoint(path), path))
    if absent := [name for name in files if name not in state]:
        raise UserError(
            f"checkpoint {index} promises {len(absent)} tensor(s) that its parts lack: {', '.join(absent[:6])}. "
            "Copy or download all parts."
        )
    return state
