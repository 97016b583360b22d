"""torch.save and TorchScript files: settings objects are stood in for, scripted models read as tensors."""

import pathlib
import subprocess
import sys
import zipfile
from argparse import Namespace

import fvcore.common.config
import numpy as np
import pytest
import torch
import yacs.config
from torch import nn

from slowfast.utils.errors import UserError
from slowfast.weights import read_checkpoint, read_state_dict

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit")
STATE = {"a.weight": torch.arange(6.0).reshape(2, 3)}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("node", [yacs.config.CfgNode, fvcore.common.config.CfgNode])
def test_settings_come_as_plain_values(tmp_path, zipped, node):
    content = {
        "model": STATE,
        "args": Namespace(lr=0.1, betas=(0.9, 0.999), output_dir=pathlib.Path("out"), resume=None),
        "cfg": node({"TRAIN": {"BATCH_SIZE": 8}, "NAMES": ["a", "b"]}),
        "best": np.float64(71.5),
        "epoch": 3,
    }
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_state_dict(tmp_path / "weights.pth")["a.weight"], STATE["a.weight"])
    read = read_checkpoint(tmp_path / "weights.pth")
    assert list(read) == list(content)
    assert read["cfg"] == {"TRAIN": {"BATCH_SIZE": 8}, "NAMES": ["a", "b"]}
    assert (read["args"].lr, read["args"].betas, read["args"].resume) == (0.1, (0.9, 0.999), None)
    assert not isinstance(read["args"], Namespace)
    assert not isinstance(read["cfg"], node)


def test_settings_do_not_need_their_package(tmp_path, repo):
    """An argparse object of a script, say, or a node whose class cannot be imported."""
    torch.save({"model": STATE, "cfg": yacs.config.CfgNode({"A": 1})}, tmp_path / "weights.pth")
    code = (
        "import sys; from slowfast.weights import read_checkpoint\n"
        "sys.modules['yacs'] = sys.modules['yacs.config'] = None; print(dict(read_checkpoint(sys.argv[1])['cfg']))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "weights.pth")]
    assert subprocess.run(command, cwd=repo, check=True, capture_output=True, text=True).stdout.strip() == "{'A': 1}"


def test_allowances_last_for_one_file(tmp_path):
    torch.save({"args": Namespace(lr=1)}, tmp_path / "weights.pth")
    read_checkpoint(tmp_path / "weights.pth")
    with pytest.raises(Exception, match=r"argparse.Namespace"):
        torch.load(tmp_path / "weights.pth", weights_only=True)


def test_another_pickle_protocol_says_how_to_convert(tmp_path):
    torch.save(STATE, tmp_path / "weights.pth", pickle_protocol=4)
    with pytest.raises(UserError, match=r"protocol above 2.*torch.load\('weights.pth', weights_only=False\)"):
        read_state_dict(tmp_path / "weights.pth")


class Visual(nn.Module):
    """The kinds of attributes that CLIP's archive has, and views into a shared storage."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 2, bias=False).half()
        self.positional_embedding = nn.Parameter(torch.randn(3, 5))
        self.register_buffer("steps", torch.tensor(7))
        self.register_buffer("mask", torch.ones(2, 3, dtype=torch.bool))
        self.register_buffer("column", torch.randn(4, 6)[:, 2])
        self.register_buffer("empty", torch.zeros(0, 3))
        self.sizes, self.named, self.note = [1, 2], {"a": 1.5}, "text"

    def forward(self, x):
        return self.conv1(x.half()).float().mean() + self.positional_embedding.sum() * len(self.sizes)


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Visual()
        self.transformer = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        self.tied = self.transformer[0].weight
        self.register_buffer("input_resolution", torch.tensor(224))

    def forward(self, x):
        return self.visual(x)


@pytest.mark.parametrize("trace", [False, True])
def test_scripted_models_are_read_as_tensors(tmp_path, trace):
    """Expected: what torch's own reader, which runs the archive's code, gives as state dict."""
    model = Clip().eval()
    scripted = torch.jit.trace(model, torch.randn(1, 3, 4, 4)) if trace else torch.jit.script(model)
    scripted.save(tmp_path / "ViT.pt")
    expected = torch.jit.load(tmp_path / "ViT.pt").state_dict()
    state = read_state_dict(tmp_path / "ViT.pt")
    assert sorted(state) == sorted(expected)
    for name, tensor in expected.items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor), name


def test_the_code_of_a_scripted_model_is_not_run(tmp_path, monkeypatch):
    torch.jit.script(Clip()).save(tmp_path / "ViT.pt")
    for function in ("load", "jit.load"):
        module, _, name = function.rpartition(".")
        monkeypatch.setattr(torch.jit if module else torch, name, None)
    assert "visual.conv1.weight" in read_state_dict(tmp_path / "ViT.pt")


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_torn_archives(tmp_path, keep):
    torch.jit.script(Clip()).save(tmp_path / "ViT.pt")
    content = (tmp_path / "ViT.pt").read_bytes()
    (tmp_path / "ViT.pt").write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UserError, match="damaged, cut short"):
        read_state_dict(tmp_path / "ViT.pt")


@pytest.mark.parametrize("what", ["no module", "inside itself", "no attributes", "too short"])
def test_archives_that_no_torch_wrote(tmp_path, what):
    module = b"c__torch__\nM\n)\x81"
    weight = (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu"
        b"K\x02tQ"
    )
    data = {
        "no module": b"(t",
        "inside itself": module + b"q\0}X\x01\0\0\0xh\0sb",
        "no attributes": module,
        "too short": module + b"}X\x01\0\0\0x" + weight + b"K\x00K\x09\x85K\x01\x85\x89NtRsb",
    }
    with zipfile.ZipFile(tmp_path / "ViT.pt", "w") as archive:
        archive.writestr("m/constants.pkl", b"")
        archive.writestr("m/data.pkl", b"\x80\x02" + data[what] + b".")
        archive.writestr("m/data/0", bytes(8))
    with pytest.raises(UserError, match="damaged, cut short or foreign"):
        read_state_dict(tmp_path / "ViT.pt")
