"""Files of torch.save and torch.jit.save -> containers of tensors; no object in them is ever built, no code run."""

import pickle
import re
import warnings
import zipfile
from collections import OrderedDict

import torch
from torch.serialization import safe_globals

from slowfast.utils.errors import UserError


class Opaque:
    """Stands in for an object that carries no weights; whatever the file says of it is forgotten."""

    def __init__(self, *args):
        pass

    def __repr__(self):
        return "(not read)"

    def __setstate__(self, state):
        pass


# What checkpoints hold beside tensors, and what is made of it instead of the named object. Settings become an
# OrderedDict: yacs nodes with their keys as items, argparse namespaces with their names as attributes.
STAND_INS = {
    "argparse.Namespace": OrderedDict,
    "yacs.config.CfgNode": OrderedDict,
    "fvcore.common.config.CfgNode": OrderedDict,
    "numpy.dtype": Opaque,
    "numpy.core.multiarray.scalar": Opaque,
    "numpy._core.multiarray.scalar": Opaque,
    "pathlib.PosixPath": Opaque,
    "pathlib._local.PosixPath": Opaque,
    "pathlib.WindowsPath": Opaque,
    "pathlib._local.WindowsPath": Opaque,
}
# what a pickle calls its storages -> type of their values
STORAGES = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
HOW_TO_CONVERT = (
    "nothing of it was run. Where you trust its source, convert it once: "
    "python -c \"import torch; torch.save(torch.load('{name}', weights_only=False)['model'], 'weights.pth')\" "
    "with the key of its weights in place of 'model', or .state_dict() for a whole module."
)


def read_torch_file(path, *, mmap=False):
    """What torch.save wrote, on the CPU, with STAND_INS for objects.

    Args: mmap: leave the tensors of a zipped file on the disk until they are used.
    Raises: UserError: the file is damaged or foreign, or could only be read by running code from it.
    """
    try:
        with safe_globals([(stand_in, name) for name, stand_in in STAND_INS.items()]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol")  # what cannot be read is told below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap and _is_zipped(path))
    except (
        Exception
    ) as error:  # torch raises OSError, KeyError, EOFError, RuntimeError, UnpicklingError ... on foreign bytes
        raise UserError(f"checkpoint {path} {_why_unreadable(error, path)}") from error


def read_torchscript(path):
    """Tensors of a TorchScript archive by their names in the scripted model's state dict, on the CPU.

    The archive's code is not looked at: its data is a pickle of the modules' attributes, read with an unpickler that
    knows tensors, lists and modules as plain containers, and nothing else.

    Raises: UserError: the file is damaged, or holds what could only be read by running code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).rpartition("/")[0]
            with archive.open(f"{root}/data.pkl") as file:
                return dict(_named_tensors(_ScriptUnpickler(file, archive, root).load()))
    except _NeedsCode as error:
        raise UserError(f"checkpoint {path} {_refusal(error, path)}") from None
    except Exception as error:  # pickle and zipfile raise nearly anything on foreign bytes
        raise UserError(
            f"checkpoint {path} is damaged, cut short or foreign: {error!r}. Copy or download it again."
        ) from error


class _NeedsCode(Exception):
    """The full name of an object in a pickle that is not known here."""


class _Module:
    """A scripted module: its attributes, as its pickle gives them."""

    def __setstate__(self, state):
        self.attributes = state if isinstance(state, dict) else {}


class _ScriptUnpickler(pickle.Unpickler):
    """Reads `data.pkl` of a TorchScript archive; every name in it is looked up here, nowhere else."""

    def __init__(self, file, archive, root):
        super().__init__(file)
        self.archive, self.root, self.storages = archive, root, {}

    def find_class(self, module, name):
        full_name = f"{module}.{name}"
        if module.split(".")[0] == "__torch__":
            return type("Module", (_Module,), {})
        if full_name in STORAGES:
            return STORAGES[full_name]
        if full_name == "torch._utils._rebuild_tensor_v2":
            return lambda storage, offset, size, stride, *_: storage.as_strided(size, stride, offset)
        if re.fullmatch(r"torch\.jit\._pickle\.build_\w+list", full_name):
            return lambda items: items
        if full_name == "torch.jit._pickle.restore_type_tag":
            return lambda value, type_name: value
        if full_name == "collections.OrderedDict":
            return lambda *items: OrderedDict()  # of backward hooks; always empty
        raise _NeedsCode(full_name)

    def persistent_load(self, reference):
        """("storage", type of values, key, device, number of values) -> flat tensor; as_strided checks its bounds."""
        _, dtype, key, _, _ = reference
        if key not in self.storages:
            values = bytearray(self.archive.read(f"{self.root}/data/{key}"))
            flat = torch.frombuffer(values, dtype=torch.uint8) if values else torch.empty(0, dtype=torch.uint8)
            self.storages[key] = flat.view(dtype)
        return self.storages[key]


def _named_tensors(module, prefix=""):
    for name, value in module.attributes.items():
        if torch.is_tensor(value):
            yield prefix + name, value
    for name, value in module.attributes.items():
        if isinstance(value, _Module):
            yield from _named_tensors(value, f"{prefix}{name}.")


def _why_unreadable(error, path):
    """What torch.load's error means for the user, as the end of a sentence about the file."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    if named:
        return _refusal(named[1], path)
    if "Unsupported operand" in str(error) and _is_zipped(path):
        return f"is pickled as torch.save never does by default (protocol above 2); {_how_to_convert(path)}"
    return (
        f"is damaged, cut short or not written by torch.save ({path.stat().st_size} bytes). Copy or download it again."
    )


def _is_zipped(path):
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def _refusal(full_name, path):
    return f"holds the Python object {full_name}, which cannot be read without running code; {_how_to_convert(path)}"


def _how_to_convert(path):
    return HOW_TO_CONVERT.format(name=path.name)
