"""Reading checkpoints: what is unwrapped, what is refused, and that nothing in a file runs."""

import json
import pickle
import zipfile
from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from yacs.config import CfgNode

from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint, read_state_dict
from tests.weights.traps import RunsACommand

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


def script_archive(path, marker):
    """A TorchScript archive whose data is such a pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/constants.pkl", pickle.dumps((), protocol=2))
        archive.writestr("model/data.pkl", pickle.dumps({"weight": RunsACommand(marker)}, protocol=2))


def node(trap):
    """A yacs node with the trap inside; its constructor would copy, and so spring it."""
    node = CfgNode({"A": 1})
    dict.__setitem__(node, "B", trap)
    return node


def old_file(content):
    return lambda path, marker: torch.save(content(marker), path, _use_new_zipfile_serialization=False)


def npz(path, marker):
    with open(path, "wb") as file:
        np.savez(file, weight=np.zeros(2), trap=np.array([RunsACommand(marker)], dtype=object))


def same(state, other):
    return list(state) == list(other) and all(torch.equal(state[name], other[name]) for name in state)


@pytest.mark.parametrize("suffix", [".pyth", ".pth", ".pt"])
@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"model_state": STATE, "epoch": 3, "cfg": "NUM_GPUS: 1\n", "optimizer_state": {"state": {}}},
        {"model": STATE},
        {"state_dict": STATE, "epoch": 3},
        {"module": STATE},
        {"model": {"module": STATE}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
        {"model_state": {f"module.{name}": tensor for name, tensor in STATE.items()}},
        {"model": {f"_orig_mod.module.{name}": tensor for name, tensor in STATE.items()}},
    ],
    ids=[
        *("plain", "model_state", "model", "state_dict", "module", "model/module"),
        *("prefix", "model_state/prefix", "model/prefixes"),
    ],
)
def test_state_dicts_are_unwrapped(tmp_path, content, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(content, path)
    assert same(read_state_dict(path), STATE)
    assert list(read_checkpoint(str(path))) == list(content)


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "weights.safetensors")
    state = read_state_dict(tmp_path / "weights.safetensors")
    assert same(dict(sorted(state.items())), dict(sorted(STATE.items())))


@pytest.mark.parametrize("name", ["weights", "weights.pth.tar", "pytorch_model.bin", "a.safetensors?download=true"])
def test_the_format_is_told_by_content(tmp_path, name):
    (save_file if "safe" in name else torch.save)(STATE, tmp_path / name)
    assert same(dict(sorted(read_state_dict(tmp_path / name).items())), dict(sorted(STATE.items())))


def test_files_of_old_torch_versions_are_read(tmp_path):
    torch.save(STATE, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert same(read_state_dict(tmp_path / "old.pt"), STATE)


def test_a_prefix_that_only_some_names_have_is_part_of_the_name(tmp_path):
    state = {"module.a": torch.zeros(1), "b": torch.zeros(1)}
    torch.save(state, tmp_path / "weights.pt")
    assert same(read_state_dict(tmp_path / "weights.pt"), state)


def torch_file(content):
    return lambda path, marker: torch.save(content(marker), path)


@pytest.mark.parametrize(
    "write, named",
    [
        (torch_file(RunsACommand), "system"),
        (torch_file(lambda marker: {"model_state": STATE, "extra": RunsACommand(marker)}), "system"),
        (lambda path, marker: path.write_bytes(pickle.dumps(RunsACommand(marker), protocol=2)), "system"),
        (lambda path, marker: path.write_bytes(pickle.dumps(RunsACommand(marker))), "not written by torch.save"),
        (torch_file(lambda marker: {"model": STATE, "args": Namespace(trap=RunsACommand(marker))}), "system"),
        (torch_file(lambda marker: {"model": STATE, "cfg": node(RunsACommand(marker))}), "system"),
        (torch_file(lambda marker: torch.nn.Linear(2, 2)), "torch.nn.modules.linear.Linear"),
        (old_file(RunsACommand), "system"),
        (old_file(lambda marker: {"model": STATE, "extra": RunsACommand(marker)}), "system"),
        (script_archive, "system"),
        (npz, "arrays of Python objects"),
    ],
    ids=[
        *("code", "code beside weights", "pickle 2", "pickle", "in a namespace", "in a yacs node", "module"),
        *("old code", "old code beside weights", "TorchScript", "npz"),
    ],
)
def test_code_in_a_file_is_refused_and_not_run(tmp_path, write, named):
    path, marker = tmp_path / "weights.pyth", tmp_path / "it-ran"
    write(path, marker)
    with pytest.raises(UserError) as error:
        read_state_dict(path)
    assert named in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    if "not written by" not in named:
        assert "nothing of it was run. Where you trust its source, " in str(error.value)
    assert not marker.exists()


def test_the_command_would_have_run(tmp_path):
    """The trap works: an unguarded reader springs it."""
    pickle.loads(pickle.dumps(RunsACommand(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").exists()


@pytest.mark.parametrize("suffix", [".pyth", ".safetensors"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_torn_files(tmp_path, suffix, keep):
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(path)


@pytest.mark.parametrize("signature", [b"PK\1\2", b"PK\5\6"])  # of the directory's entries and of its end
def test_a_damaged_zip_directory(tmp_path, signature):
    torch.save(STATE, tmp_path / "weights.pt")
    content = bytearray((tmp_path / "weights.pt").read_bytes())
    content[content.rindex(signature)] ^= 0xFF
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(tmp_path / "weights.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"hello, this is text", bytes(range(256)) * 4])
def test_foreign_files(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(path)


@pytest.mark.parametrize(
    "content, found",
    [
        ([torch.zeros(1)], "holds a list"),
        ({"epoch": 3, "a": torch.zeros(1)}, r"there is also epoch \(int\)"),
        ({"optimizer": {"lr": 0.1}}, r"there is also optimizer \(dict\)"),
        ({"model": {}}, "it is empty"),
        ({0: torch.zeros(1)}, r"there is also 0 \(Tensor\)"),
    ],
)
def test_files_without_a_state_dict(tmp_path, content, found):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=found):
        read_state_dict(tmp_path / "weights.pt")


@pytest.fixture
def parts(tmp_path):
    """An index over two files, as large models are published."""
    save_file({"a.weight": STATE["a.weight"]}, tmp_path / "model-00001-of-00002.safetensors")
    torch.save({"a.bias": STATE["a.bias"]}, tmp_path / "model-00002-of-00002.bin")
    files = {"a.weight": "model-00001-of-00002.safetensors", "a.bias": "model-00002-of-00002.bin"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 32}, "weight_map": files}))
    return index


def test_an_index_puts_its_parts_together(parts):
    assert same(read_state_dict(parts), STATE)


def test_an_index_without_one_of_its_parts(parts):
    parts.with_name("model-00002-of-00002.bin").unlink()
    with pytest.raises(UserError, match=r"needs .*model-00002-of-00002.bin, which is not there"):
        read_state_dict(parts)


def test_an_index_whose_parts_lack_a_tensor(parts):
    content = json.loads(parts.read_text())
    content["weight_map"]["b.weight"] = "model-00002-of-00002.bin"
    parts.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"promises 1 tensor\(s\) that its parts lack: b.weight"):
        read_state_dict(parts)


@pytest.mark.parametrize("part", ["../weights.pt", "/etc/passwd", "sub/weights.pt", "", 3, None])
def test_an_index_cannot_name_files_elsewhere(parts, part):
    parts.write_text(json.dumps({"weight_map": {"a.weight": part}}))
    with pytest.raises(UserError, match="parts must lie in the index's own folder"):
        read_state_dict(parts)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {}}'])
def test_damaged_indexes(parts, text):
    parts.write_text(text)
    with pytest.raises(UserError, match=r"no index of a checkpoint's parts"):
        read_state_dict(parts)


def test_code_in_a_part_is_refused_and_not_run(parts, tmp_path):
    torch.save({"a.bias": RunsACommand(tmp_path / "it-ran")}, tmp_path / "model-00002-of-00002.bin")
    with pytest.raises(UserError, match=r"model-00002-of-00002.bin holds the Python object"):
        read_state_dict(parts)
    assert not (tmp_path / "it-ran").exists()
