"""The small language model: rotary positions, no look ahead, it learns, and its set gives frozen layers."""

import json
import subprocess
import sys

import torch

from slowfast.models import build_model
from slowfast.weights.llama import load_llama
from tests.models.sizes import small_cfg
from tools.prepare.make_toy_llama import LanguageModel, rotated


def test_rotated_products_depend_on_the_distance_alone():
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8), torch.randn(1, 1, 1, 8).expand(1, 1, 12, 8)
    scores = (rotated(q) @ rotated(k).transpose(-2, -1))[0, 0]  # (12, 12)
    for distance in range(-6, 7):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)
    assert scores[0].std() > 0.1
    torch.testing.assert_close(rotated(q).norm(dim=-1), q.norm(dim=-1))


def test_no_byte_sees_later_ones():
    torch.manual_seed(0)
    model = LanguageModel(2, 16, 2, 24)
    bytes_ = torch.randint(256, (1, 9))
    changed = bytes_.clone()
    changed[0, 6] += 1
    difference = (model(bytes_) - model(changed)).abs().sum(dim=-1)[0]
    assert (difference[:6] == 0).all() and (difference[6:] > 0).all()
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_command_writes_a_set_that_fits(repo, tmp_path):
    command = [sys.executable, "tools/prepare/make_toy_llama.py", "--out", str(tmp_path / "llama")]
    command += "--layers 3 --dim 48 --heads 6 --ffn_dim 56 --steps 90 --batch 8 --length 16".split()
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "llama/training.json").read_text())
    assert figures["bits_a_byte"] < 7  # 8 before it learnt anything
    cfg = small_cfg("ViTLLaMA", VIT_LLAMA__NUM_KV_HEADS=0)
    model = build_model(cfg)
    before = model.llama.layers[1].feed_forward.w2.weight.clone()
    (text,) = load_llama(model, tmp_path / "llama", first_layer=1)
    assert "layer 1 to 2" in text and not torch.equal(model.llama.layers[1].feed_forward.w2.weight, before)
