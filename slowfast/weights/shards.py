"""Checkpoints in shards: a file like any other, but its tensors lie in a folder beside it, a part from each process."""

import shutil
from pathlib import Path

import torch

from slowfast.utils.errors import UserError
from slowfast.utils.io import sha256_file

SHARDS = "shards"  # entry of the file: {"folder", "files": name -> [bytes, SHA-256], "tensors": key -> place}
FOLDERS = "shards_*"  # their names


def is_in_shards(content):
    return isinstance(content.get(SHARDS), dict)


def split(payload):
    """Nested dictionaries -> (key -> tensor, key -> its place, a list of dictionary keys, the rest without tensors)."""
    tensors, places = {}, {}

    def rest_of(value, place):
        rest = {}
        for name, item in value.items():
            here = [*place, name]
            if isinstance(item, torch.Tensor):
                key = ".".join(map(str, here))
                tensors[key], places[key] = item, here
            else:
                rest[name] = rest_of(item, here) if isinstance(item, dict) else item
        return rest

    rest = rest_of(payload, [])
    return tensors, places, rest


def merge(rest, tensors, places):
    """Put tensors where `split` took them from; changes and returns `rest`."""
    for key, tensor in tensors.items():
        *folders, last = places[key]
        inside = rest
        for name in folders:
            inside = inside.setdefault(name, {})
        inside[last] = tensor
    return rest


def folder_of(content, path):
    """Where a checkpoint's shards lie. Args: content, path: of its file."""
    name = content[SHARDS]["folder"]
    if not name or Path(name).name != name:
        raise UserError(f"checkpoint {path} names the folder {name!r}; shards must lie beside it")
    return Path(path).with_name(name)


def find_shard_damage(content, path):
    """What is wrong with the shards of a checkpoint, as the end of a sentence; None if every byte is as written."""
    folder = folder_of(content, path)
    for name, (size, digest) in content[SHARDS]["files"].items():
        file = folder / name
        if not file.is_file():
            return f"lacks its shard {file}"
        if file.stat().st_size != size:
            return f"has a shard of another length, {file}: {file.stat().st_size} bytes, {size} were written"
        if sha256_file(file) != digest:
            return f"has a damaged shard, {file}"
    return None


def describe_shards(folder, digests):
    """File name -> [bytes, SHA-256] of a folder's files. Args: digests: name -> SHA-256, of those known already."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file()]
    return {path.name: [path.stat().st_size, digests.get(path.name) or sha256_file(path)] for path in files}


def remove_unused(folder):
    """Remove the folders of shards that no checkpoint in `folder` needs; one that cannot be read needs none."""
    unused = {path.name: path for path in folder.glob(FOLDERS)}
    for path in folder.glob("*.pyth*") if unused else ():
        try:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            unused.pop(content[SHARDS]["folder"], None)
        except Exception:  # damaged, foreign, or without shards
            continue
    for path in unused.values():
        shutil.rmtree(path, ignore_errors=True)
