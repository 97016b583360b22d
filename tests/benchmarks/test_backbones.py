"""The side-by-side measurement of backbones: it runs, and the models it compares compute the same."""

import sys
from argparse import Namespace

import pytest
import torch

from benchmarks import backbones
from slowfast.models.video_vit import VideoViT


def test_transformers_computes_the_same():
    """An independent implementation of VideoMAE, with weights that leave nothing at zero or one."""
    pytest.importorskip("transformers", minversion="5")
    torch.manual_seed(0)
    ours = VideoViT(7, 6, 24, patch_size=8, tubelet_size=3, embed_dim=36, depth=2, num_heads=3, mlp_ratio=2.0).eval()
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs = backbones.transformers_twin(ours, 6, 24).eval()
    clip = torch.randn(2, 3, 6, 24, 24)
    expected = theirs(clip.transpose(1, 2)).logits
    torch.testing.assert_close(ours(clip), expected, rtol=1e-4, atol=1e-5)
    cotangent = torch.randn_like(expected)
    (expected * cotangent).sum().backward()
    (ours(clip) * cotangent).sum().backward()
    embeddings = theirs.videomae.embeddings.patch_embeddings.projection
    torch.testing.assert_close(ours.patch_embed.proj.weight.grad, embeddings.weight.grad, rtol=1e-3, atol=1e-4)


OPTIONS = ["--size", "small", "--frames", "8", "--crop", "32", "--repeats", "1", "--threads", "1"]


def test_the_command_prints_its_figures(capsys, monkeypatch):
    monkeypatch.setattr(
        backbones, "peak_above_weights", lambda name, way, args: {"sdpa": 3, "explicit": 4}[way] * 2**20
    )
    assert backbones.main(OPTIONS) == 0
    out = capsys.readouterr().out
    for name in ("VideoViT-S", "XViT-S"):
        (row,) = [line for line in out.splitlines() if line.startswith(f"| {name}")]
        assert row.split("|")[7:10] == [" 3 ", " 4 ", " 0.75 "]
    assert "The time shift takes" in out
    assert "transformers" in out


def test_the_table_of_eva(capsys, monkeypatch):
    """One block at full width, 25 M parameters; the gradients' bytes are taken off what a step takes."""
    mib = {("explicit", False): 10, ("sdpa", False): 4, ("sdpa", True): 2}
    gradients = {}

    def peak(name, attention, args, size, recomputed):
        with torch.device("meta"):
            model = backbones.build(name, size, args.frames, args.crop)
        gradients[size] = sum(4 * parameter.numel() for parameter in model.parameters())
        return mib[attention, recomputed] * 2**20 + gradients[size]

    monkeypatch.setattr(backbones, "peak_above_weights", peak)
    words = ["--eva_blocks", "1", "--frames", "2", "--crop", "28", "--repeats", "1", "--threads", "1"]
    assert backbones.main(words) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith(("| expl", "| fus"))]
    assert [[cell.strip() for cell in (row[1], *row[4:6])] for row in rows] == [
        ["explicit", "10", "1.00"],
        ["fused", "4", "0.40"],
        ["fused, recomputed", "2", "0.20"],
    ]
    assert 20e6 < gradients[1] / 4 < 30e6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a new peak can be started on Linux alone")
def test_peak_memory_holds_the_gradients_and_not_the_weights():
    """22 M parameters in float32: 88 MB of gradients; the activations of 16 tokens are next to nothing."""
    size = {"size": "small", "frames": 8, "crop": 32, "threads": 1}
    peak = backbones.peak_above_weights("VideoViT", "sdpa", Namespace(**size))
    assert 80e6 < peak < 200e6


def test_steps_take_turns_and_the_first_is_not_counted():
    calls = []
    seconds = backbones.median_times({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert "".join(calls) == "ababab"
    assert set(seconds) == {"a", "b"}
