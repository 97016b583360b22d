"""Checkpoint files opened for a few of their tensors: what is not asked for stays on the disk."""

import torch
from safetensors import SafetensorError, safe_open

from slowfast.utils.errors import UserError
from slowfast.weights.pages import refuse_pages
from slowfast.weights.torch_files import read_torch_file


def open_tensors(path):
    """A file of safetensors or torch.save, whatever its name, as a SafetensorsFile or a TorchFile.

    Raises: UserError: the file is missing, damaged or foreign, or could only be read by running code from it.
    """
    refuse_pages(path)
    with open(path, "rb") as file:
        start = file.read(9)
    return SafetensorsFile(path) if start[8:] == b"{" or path.suffix == ".safetensors" else TorchFile(path)


class SafetensorsFile:
    """Tensors of a safetensors file. names: a set. rows(name, start, end): a part of a tensor, on the CPU."""

    def __init__(self, path):
        self.path = path
        try:
            self.file = safe_open(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"checkpoint {path} is damaged, cut short or no safetensors file: {error}. Copy or download it again."
            ) from error
        self.names = set(self.file.keys())

    def shape(self, name):
        return tuple(self.file.get_slice(name).get_shape())

    def rows(self, name, start, end):
        return self.file.get_slice(name)[start:end]


class TorchFile:
    """Tensors of a torch.save file, mapped into memory where it is of the zipped kind, read whole where it is older."""

    def __init__(self, path):
        self.path = path
        content = read_torch_file(path, mmap=True)
        self.tensors = {name: value for name, value in _items(content) if torch.is_tensor(value)}
        self.names = set(self.tensors)

    def shape(self, name):
        return tuple(self.tensors[name].shape)

    def rows(self, name, start, end):
        return self.tensors[name][start:end]


def _items(content):
    return content.items() if isinstance(content, dict) else ()
