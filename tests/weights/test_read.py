"""Reading checkpoints: what is unwrapped, what is refused, and that nothing in a file runs."""

import argparse
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file

from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint, read_state_dict

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


class RunsACommand:
    """Unpickling this creates the file that it was given."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


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
    ],
    ids=["plain", "model_state", "model", "state_dict", "module", "model/module", "prefix", "model_state/prefix"],
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
        (torch_file(lambda marker: {"model": STATE, "args": argparse.Namespace(lr=1)}), "argparse.Namespace"),
        (torch_file(lambda marker: torch.nn.Linear(2, 2)), "torch.nn.modules.linear.Linear"),
    ],
    ids=["code", "code beside weights", "pickle 2", "pickle", "namespace", "module"],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_file_is_refused_and_not_run(tmp_path, write, named):
    path, marker = tmp_path / "weights.pyth", tmp_path / "it-ran"
    write(path, marker)
    with pytest.raises(UserError) as error:
        read_state_dict(path)
    assert named in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert not marker.exists()


def test_the_command_would_have_run(tmp_path):
    """The trap works: an unguarded reader springs it."""
    pickle.loads(pickle.dumps(RunsACommand(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").exists()


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused_with_the_way_out(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "scripted.pt")
    with pytest.raises(UserError, match=r"holds TorchScript code.*torch.save\(model.state_dict\(\)"):
        read_state_dict(tmp_path / "scripted.pt")


@pytest.mark.parametrize("suffix", [".pyth", ".safetensors"])
@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_torn_files(tmp_path, suffix, keep):
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(STATE, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"<html>not found</html>", b"hello, this is text", bytes(range(256)) * 4])
def test_foreign_files(tmp_path, suffix, content):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(path)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match=r"nothing.pyth does not exist"):
        read_state_dict(tmp_path / "nothing.pyth")
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_state_dict(tmp_path / "folder.pt")


def test_unknown_suffix(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(UserError, match=r"unknown suffix '.h5'; readable: .pyth, .pth, .pt, .safetensors"):
        read_state_dict(tmp_path / "weights.h5")


@pytest.mark.parametrize(
    "content, found",
    [
        ([torch.zeros(1)], "holds a list"),
        ({"epoch": 3, "a": torch.zeros(1)}, r"there is also epoch \(int\)"),
        ({"optimizer": {"lr": 0.1}}, r"there is also optimizer \(dict\)"),
        ({"model": {}}, "it is empty"),
    ],
)
def test_files_without_a_state_dict(tmp_path, content, found):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=found):
        read_state_dict(tmp_path / "weights.pt")
