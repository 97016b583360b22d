"""tools/convert_weights.py: what it writes, what it prints, and its exit codes."""

import importlib.util
from argparse import Namespace

import pytest
import torch
from safetensors.torch import load_file

from slowfast.utils.command_line import run_command
from slowfast.weights import read_checkpoint, read_state_dict
from tests.weights.traps import RunsACommand

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3).T, "a.bias": torch.zeros(2).half(), "steps": torch.tensor(3)}


@pytest.fixture(scope="module")
def tool(repo):
    spec = importlib.util.spec_from_file_location("convert_weights", repo / "tools/convert_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def convert(tool):
    """convert(arguments) -> exit code."""
    return lambda *args: run_command(lambda: tool.main([str(arg) for arg in args]))


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "checkpoint.pth"
    state = {f"module.{name}": tensor for name, tensor in STATE.items()} | {"module.tied": STATE["a.weight"]}
    torch.save({"model": state, "epoch": 7, "args": Namespace(lr=0.5, model="vit"), "optimizer": {}}, path)
    return path


def same(state):
    expected = STATE | {"tied": STATE["a.weight"]}
    assert state.keys() == expected.keys()
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor)


def test_to_safetensors(convert, source, capsys):
    assert convert(source, "--to", "safetensors") == 0
    same(load_file(source.with_suffix(".safetensors")))
    assert "checkpoint.safetensors: 4 tensors, 15 values" in capsys.readouterr().out


def test_to_pyth_and_back(convert, source, tmp_path):
    assert convert(source, "--to", "safetensors", "--out", tmp_path / "sub" / "first.safetensors") == 0
    assert convert(tmp_path / "sub" / "first.safetensors", "--to", "pyth") == 0
    assert list(read_checkpoint(tmp_path / "sub" / "first.pyth")) == ["model_state"]
    same(read_state_dict(tmp_path / "sub" / "first.pyth"))


def test_inspect_prints_and_writes_nothing(convert, source, capsys):
    assert convert(source, "--inspect") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "# epoch: 7" in lines
    assert "# args: 2 entries: lr, model" in lines
    assert "# optimizer: 0 entries: " in lines
    assert "a.weight  3x2  float32" in lines
    assert "steps     scalar  int64" in lines
    assert lines[-1] == "4 tensors, 15 values; 2 float32, 1 float16, 1 int64"
    assert list(source.parent.iterdir()) == [source]


def test_a_file_is_never_replaced(convert, source, capsys):
    source.with_suffix(".safetensors").write_text("mine")
    assert convert(source, "--to", "safetensors") == 2
    assert "checkpoint.safetensors exists already" in capsys.readouterr().err
    assert source.with_suffix(".safetensors").read_text() == "mine"


def test_a_trap_is_not_sprung(convert, tmp_path, capsys):
    torch.save({"model": STATE, "trap": RunsACommand(tmp_path / "it-ran")}, tmp_path / "trap.pth")
    assert convert(tmp_path / "trap.pth", "--to", "safetensors") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "convert it once" in line
    assert [path.name for path in tmp_path.iterdir()] == ["trap.pth"]


@pytest.mark.parametrize(
    "args, said",
    [
        (["absent.pth", "--to", "pyth"], "does not exist"),
        (["{source}", "--to", "pyth", "--sha256", "0" * 64], "has SHA-256"),
    ],
)
def test_wrong_input(convert, source, capsys, args, said):
    assert convert(*(arg.format(source=source) for arg in args)) == 2
    assert said in capsys.readouterr().err


def test_wrong_usage(convert, source):
    with pytest.raises(SystemExit, match="2"):
        convert(source)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("https://host/a/vit.pt?download=true", "vit.pyth"),
        ("folder/model.safetensors.index.json", "folder/model.pyth"),
        ("folder/checkpoint.00.pth", "folder/checkpoint.00.pyth"),
    ],
)
def test_default_names(tool, source, expected):
    assert str(tool.default_out(source, "pyth")) == expected
