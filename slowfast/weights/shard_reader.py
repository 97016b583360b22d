"""Reading a folder of shards, which is one of torch.distributed.checkpoint, without running code from it.

Each process reads by itself what it needs, so that it does not matter how many wrote and how many read.
"""

import pickle
from pathlib import Path

import torch
from torch.distributed.checkpoint import DefaultLoadPlanner, FileSystemReader

from slowfast.utils.errors import UserError
from slowfast.weights.shards import SHARDS, find_shard_damage, folder_of, merge

METADATA = ".metadata"  # of a folder, a pickle
PLAIN = {  # what a checkpoint's .metadata is made of, besides torch's types
    "torch.distributed.checkpoint.metadata": (
        *("Metadata", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata", "MetadataIndex"),
        *("StorageMeta", "_MEM_FORMAT_ENCODING"),
    ),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo",),
    "torch.serialization": ("_get_layout",),
    "pathlib": ("PosixPath", "PurePosixPath"),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        known = name in PLAIN.get(module, ()) or (
            module == "torch" and (name == "Size" or isinstance(getattr(torch, name, None), torch.dtype))
        )
        if not known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


class ShardReader(FileSystemReader):
    """Reads a folder of shards; nothing in its metadata is executed."""

    def read_metadata(self, *words, **options):
        with open(Path(self.path) / METADATA, "rb") as file:
            metadata = _PlainUnpickler(file).load()
        metadata.storage_meta.load_id = self.load_id
        return metadata


def joined(content, path, parts=None):
    """The content of a sharded checkpoint's file with whole tensors in it, on the CPU; all is checked before.

    Args:
        content: of the file at `path`.
        parts: entries whose tensors are wanted, such as ("model_state",); None: all. Others stay without theirs.
    Raises: UserError naming the shard that is missing or damaged.
    """
    entry = content[SHARDS]
    damage = find_shard_damage(content, path)
    if damage is not None:
        raise UserError(
            f"checkpoint {path} {damage}. Its shards have to lie beside it; copy the folder with the file, or take "
            "another checkpoint. tools/convert_weights.py makes one file of both"
        )
    places = {key: place for key, place in entry["tensors"].items() if parts is None or place[0] in parts}
    shapes = shard_shapes(content, path)
    tensors = {key: torch.empty(shapes[key][0], dtype=shapes[key][1]) for key in places}
    read_shards(content, path, tensors)
    rest = {name: value for name, value in content.items() if name != SHARDS}
    return merge(rest, tensors, places)


def shard_shapes(content, path):
    """key -> (shape, dtype) of every tensor of a sharded checkpoint. Raises: UserError."""
    metadata = _metadata(ShardReader(folder_of(content, path)), path)
    found = metadata.state_dict_metadata
    return {key: (found[key].size, found[key].properties.dtype) for key in content[SHARDS]["tensors"]}


def read_shards(content, path, tensors):
    """Fill tensors, key -> tensor or this process's DTensor, in place; no process waits for another one.

    Raises: UserError: a shard cannot be read, or the tensors have other shapes.
    """
    reader, planner = ShardReader(folder_of(content, path)), DefaultLoadPlanner()
    metadata = _metadata(reader, path)
    try:
        reader.set_up_storage_reader(metadata, True)
        planner.set_up_planner(tensors, metadata, True)
        plan = reader.prepare_local_plan(planner.create_local_plan())
        reader.read_data(planner.finish_plan(plan), planner).wait()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise UserError(f"checkpoint {path}: its shards in {reader.path} cannot be read: {error}") from None


def _metadata(reader, path):
    try:
        return reader.read_metadata()
    except Exception as error:  # a pickle raises nearly anything on foreign bytes
        raise UserError(
            f"checkpoint {path}: {Path(reader.path) / METADATA} cannot be read ({error}); it is damaged, or was "
            "written by a newer torch"
        ) from None
