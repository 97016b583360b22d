"""A LLaMA checkpoint on the disk: which files it has, whose names they use, and the rows of one layer's weights.

Meta's files (consolidated.00.pth, .01, ...) each hold a slice of every weight; Hugging Face's (safetensors, single or
with an index) each hold whole weights of some layers. Either naming is understood in either kind of file. Hugging Face
orders the rows of queries and keys in another way, for its rotary positions; it is the same way in both, so that
without rotary positions, as here, their products are equal.
"""

import json
import re
from pathlib import Path

import torch

from slowfast.utils.errors import UserError
from slowfast.weights.fetch import INDEX_SUFFIX, read_index
from slowfast.weights.pages import refuse_pages
from slowfast.weights.tensor_files import open_tensors

META, HUGGING_FACE = "Meta", "Hugging Face"
WEIGHTS = {  # name in a layer -> (the same at Meta, at Hugging Face, axis along which Meta's files slice it)
    "attention.wq": ("attention.wq", "self_attn.q_proj", 0),
    "attention.wk": ("attention.wk", "self_attn.k_proj", 0),
    "attention.wv": ("attention.wv", "self_attn.v_proj", 0),
    "attention.wo": ("attention.wo", "self_attn.o_proj", 1),
    "feed_forward.w1": ("feed_forward.w1", "mlp.gate_proj", 0),
    "feed_forward.w2": ("feed_forward.w2", "mlp.down_proj", 1),
    "feed_forward.w3": ("feed_forward.w3", "mlp.up_proj", 0),
    "attention_norm": ("attention_norm", "input_layernorm", None),
    "ffn_norm": ("ffn_norm", "post_attention_layernorm", None),
}
LAYER = {  # an entry that every layer has: what stands before its number, and the number
    META: re.compile(r"(|.*\.)layers\.(\d+)\.attention\.wq\.weight"),
    HUGGING_FACE: re.compile(r"(|.*\.)layers\.(\d+)\.self_attn\.q_proj\.weight"),
}
ROTARY = (".rotary_emb.inv_freq", ".rope.freqs")  # tables in old files, of no use here
PATTERNS = (  # the kinds of folders, the first one with a match counts
    f"*{INDEX_SUFFIX}",
    "*.safetensors",
    "consolidated.*.pth",
    "pytorch_model*.bin",
)
PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\..*)")
SLICE = re.compile(r"consolidated\.(\d+)\.pth")
ROWS = 16  # of a file's tensor that are in memory at a time


class LlamaFiles:
    """Layers of a LLaMA checkpoint, read row by row.

    Args:
        path: folder, index or file.
    Attributes: path; files, an index alone or all that hold tensors; naming, META or HUGGING_FACE; layers, the numbers
        of those that are there, ascending; settings, what config.json or params.json says, {} without one.
    Raises:
        UserError: there is no such file, it is damaged, a web page, or holds no layers of a LLaMA.
    """

    def __init__(self, path):
        self.path = Path(path).expanduser()
        if not self.path.exists():
            raise UserError(f"{path} does not exist; it takes a local folder or file.")
        self.files = _find_files(self.path)
        self.opened = {}
        self.settings = _read_settings(self.path if self.path.is_dir() else self.path.parent)
        self.index = read_index(self.files[0]) if self.files[0].name.endswith(INDEX_SUFFIX) else None
        self.names = set(self.index or ()).union(*(self._open(file).names for file in self.files if not self.index))
        self.naming, self.prefix, self.layers = self._find_layers()

    def shape(self, layer, name):
        """Shape of the whole weight `name` (of WEIGHTS) of a layer; of the last norm for layer None."""
        pieces, axis = self._pieces(layer, name)
        shapes = [file.shape(entry) for file, entry in pieces]
        if axis is None or len(shapes) == 1:
            return shapes[0]
        total = sum(shape[axis] for shape in shapes)
        return (total, shapes[0][1]) if axis == 0 else (shapes[0][0], total)

    def rows(self, layer, name):
        """Yields (first row, floating tensor of some rows) until the weight is through."""
        pieces, axis = self._pieces(layer, name)
        if axis is None:
            pieces = pieces[:1]
        if axis != 1:
            first = 0
            for file, entry in pieces:
                for start, rows in _blocks(file, entry):
                    yield first + start, rows
                first += file.shape(entry)[0]
        else:
            for blocks in zip(*(_blocks(file, entry) for file, entry in pieces), strict=True):
                yield blocks[0][0], torch.cat([rows for _, rows in blocks], dim=1)

    def check_layer(self, layer):
        """Raises: UserError: the layer is not there, not whole, or of another kind than LLaMA's."""
        if layer not in self.layers:
            held = f"{self.layers[0]} to {self.layers[-1]} ({len(self.layers)} of them)"
            raise UserError(f"{self.path} holds the layers {held}, not layer {layer}.{self._what_is_missing()}")
        stem = f"{self.prefix}layers.{layer}."
        wanted = {self._entry(layer, name) for name in WEIGHTS}
        there = {name for name in self.names if name.startswith(stem) and not name.endswith(ROTARY)}
        if lacking := sorted(wanted - there):
            raise UserError(f"{self.path}: layer {layer} lacks {', '.join(lacking)}.{self._what_is_missing()}")
        if others := sorted(there - wanted):
            raise UserError(
                f"{self.path}: layer {layer} also holds {', '.join(others[:3])}, which no LLaMA layer has: quantised, "
                "adapted or of another family. Name a plain LLaMA checkpoint."
            )
        for name in WEIGHTS:
            self._pieces(layer, name)

    def describe(self):
        """Where the weights come from, for logs and checkpoints."""
        return f"{self.path} ({self.naming} names, {len(self.opened)} file(s) opened)"

    def _find_layers(self):
        for naming, pattern in LAYER.items():
            found = [match.groups() for match in map(pattern.fullmatch, self.names) if match]
            prefixes = {prefix for prefix, _ in found}
            if len(prefixes) > 1:
                raise UserError(f"{self.path} holds several language models: {', '.join(sorted(prefixes))}.")
            if found:
                return naming, prefixes.pop(), sorted(int(layer) for _, layer in found)
        shown = ", ".join(sorted(self.names)[:3]) or "nothing"
        raise UserError(
            f"{self.path} holds no LLaMA layers: {shown} and the like, expected names as layers.0.attention.wq.weight "
            f"or model.layers.0.self_attn.q_proj.weight.{self._what_is_missing()}"
        )

    def _entry(self, layer, name):
        if layer is None:
            return f"{self.prefix}norm.weight"
        return f"{self.prefix}layers.{layer}.{WEIGHTS[name][0 if self.naming == META else 1]}.weight"

    def _pieces(self, layer, name):
        """([(file, name in it)] whose parts make the weight, axis); one without an axis is in each of them alike."""
        entry = self._entry(layer, name)
        if self.index:
            if entry not in self.index:
                raise UserError(f"{self.path} holds no {entry}.")
            files = [self.files[0].with_name(self.index[entry])]
            if not files[0].is_file():
                lost = f"{entry} is in {files[0].name}, which is not there"
                raise UserError(f"{self.path} is incomplete: {lost}. Copy or download it.")
        else:
            files = self.files
        pieces = [(opened, entry) for opened in map(self._open, files) if entry in opened.names]
        if not pieces:
            raise UserError(f"{self.path} holds no {entry}.{self._what_is_missing()}")
        shapes = {opened.shape(entry) for opened, _ in pieces}
        if len(shapes) > 1:
            raise UserError(f"{self.path}: the files' slices of {entry} have different shapes, {sorted(shapes)}.")
        (shape,) = shapes
        dtype = pieces[0][0].rows(entry, 0, 1).dtype if shape else None
        dimensions = 1 if name == "norm" or name.endswith("_norm") else 2
        if len(shape) != dimensions or not dtype.is_floating_point:
            raise UserError(
                f"{self.path}: {entry} is no plain floating weight but of shape {shape}, type {dtype}: quantised? Name "
                "the original checkpoint."
            )
        return pieces, None if dimensions == 1 else WEIGHTS[name][2]

    def _open(self, file):
        if file not in self.opened:
            self.opened[file] = open_tensors(file)
        return self.opened[file]

    def _what_is_missing(self):
        """Names of files that the others' numbers promise, as a sentence; "" where nothing is known to be missing."""
        folder, names = self.files[0].parent, {file.name for file in self.files}
        promised = set(self.index.values()) if self.index else _promised(names)
        missing = sorted(name for name in promised if not (folder / name).is_file())
        return f" The set is incomplete: {', '.join(missing)} is not there. Copy or download it." if missing else ""


def _find_files(path):
    """The index alone, or the files that hold tensors."""
    if path.is_file():
        return [path]
    for pattern in PATTERNS:
        if files := sorted(path.glob(pattern)):
            missing = sorted(_promised({file.name for file in files}) - {file.name for file in files})
            if pattern.startswith("consolidated") and missing:
                raise UserError(f"{path} is incomplete: {', '.join(missing)} is not there. Copy or download it.")
            return files
    found = ", ".join(sorted(entry.name for entry in path.iterdir())[:6]) or "nothing"
    raise UserError(f"{path} holds {found}, but none of {', '.join(PATTERNS)}; name the folder with LLaMA's weights.")


def _promised(names):
    """Names of all files of a set, from the numbers in the names of those that are there."""
    promised = set()
    for name in names:
        if part := PART.fullmatch(name):
            promised |= {f"{part[1]}-{index:05d}-of-{part[3]}{part[4]}" for index in range(1, int(part[3]) + 1)}
        elif part := SLICE.fullmatch(name):
            promised |= {f"consolidated.{index:0{len(part[1])}d}.pth" for index in range(int(part[1]) + 1)}
    return promised


def _read_settings(folder):
    for name in ("config.json", "params.json"):
        path = folder / name
        if path.is_file():
            refuse_pages(path)
            try:
                settings = json.loads(path.read_text())
                return settings.get("text_config", settings)  # of models that also see or hear
            except (OSError, ValueError, AttributeError) as error:
                raise UserError(f"{path} is damaged or no settings of a model: {error!r}.") from error
    return {}


def _blocks(file, entry):
    """Yields (first row, rows) of one file's tensor."""
    total = file.shape(entry)[0]
    for start in range(0, total, ROWS):
        yield start, file.rows(entry, start, min(start + ROWS, total))
