"""Layers of a LLaMA against their formulas written out with loops, and what they do under autocast."""

import math

import pytest
import torch

from slowfast.models.layers.attention import set_attention
from slowfast.models.layers.llama import Llama, LlamaAttention, LlamaLayer, RMSNorm


def randomised(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def rms(x, norm):
    return torch.stack([row / math.sqrt((row**2).mean() + norm.eps) * norm.weight for row in x])


@pytest.mark.parametrize("heads, kv_heads", [(6, 6), (6, 3), (6, 2), (6, 1)])
def test_attention_without_mask_and_positions(heads, kv_heads):
    """Neighbouring query heads share a key head: Ainslie et al. 2023, https://arxiv.org/abs/2305.13245, figure 2."""
    attention = randomised(LlamaAttention(24, heads, kv_heads))
    x = torch.randn(5, 24)
    q, k, v = (x @ getattr(attention, name).weight.T for name in ("wq", "wk", "wv"))
    columns = []
    for head in range(heads):
        shared = head // (heads // kv_heads)
        mine, theirs = (slice(4 * index, 4 * index + 4) for index in (head, shared))
        scores = q[:, mine] @ k[:, theirs].T / math.sqrt(4)
        columns.append(scores.softmax(dim=-1) @ v[:, theirs])
    expected = torch.cat(columns, dim=1) @ attention.wo.weight.T
    for implementation in ("sdpa", "explicit"):
        set_attention(attention, implementation)
        torch.testing.assert_close(attention(x[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_a_layer():
    layer = randomised(LlamaLayer(24, 6, 2, 36, norm_eps=0.1))
    x = torch.randn(5, 24)
    middle = x + layer.attention(rms(x, layer.attention_norm)[None])[0]
    y = rms(middle, layer.ffn_norm)
    gate, up = (y @ getattr(layer.feed_forward, name).weight.T for name in ("w1", "w3"))
    expected = middle + (gate / (1 + (-gate).exp()) * up) @ layer.feed_forward.w2.weight.T
    torch.testing.assert_close(layer(x[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_layers_in_a_row_then_the_norm():
    llama = randomised(Llama(2, 24, 6, 2, 36))
    x = torch.randn(1, 5, 24)
    expected = rms(llama.layers[1](llama.layers[0](x))[0], llama.norm)
    torch.testing.assert_close(llama(x)[0], expected, rtol=1e-4, atol=1e-5)
    assert not any(parameter.requires_grad for parameter in Llama(2, 24, 6, 2, 36).parameters())


def test_names_are_metas():
    names = {name.partition(".")[2] for name in Llama(1, 24, 6, 2, 36).layers.state_dict()}
    assert names == {
        *(f"attention.{name}.weight" for name in ("wq", "wk", "wv", "wo")),
        *(f"feed_forward.{name}.weight" for name in ("w1", "w2", "w3")),
        *("attention_norm.weight", "ffn_norm.weight"),
    }


@pytest.mark.parametrize("storage", ["fp32", "bf16", "int8"])
def test_norms_and_the_way_around_stay_float32_under_autocast(storage):
    """What is far beyond float16's 65,504 passes."""
    llama = Llama(1, 24, 6, 2, 36, storage=storage)
    seen = []
    for module in (llama.layers[0], llama.layers[0].attention_norm, llama.norm):
        module.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x = (torch.randn(1, 5, 24) * 1e6).requires_grad_()
    with torch.autocast("cpu", torch.float16):
        out = llama(x)
    assert seen == [torch.float32] * 3 and out.isfinite().all()
    with torch.autocast("cpu", torch.bfloat16):
        llama(x.to(torch.bfloat16))
    assert seen == [torch.float32] * 6


def test_int8_at_the_width_of_a_language_model():
    """Weights as spread as LLaMA's (0.02 at width 4096), an eighth as wide: errors of a layer's output and update."""
    made = {}
    x = torch.randn(1, 40, 512)
    for storage in ("fp32", "bf16", "int8"):
        torch.manual_seed(3)
        layer = LlamaLayer(512, 4, 2, 1376, storage=storage)
        for module in (*layer.attention.children(), *layer.feed_forward.children()):
            module.fill(0, torch.randn(module.weight.shape) * 0.02 * math.sqrt(8))
        with torch.no_grad():
            made[storage] = layer(x)
    for storage, bound in (("bf16", 0.005), ("int8", 0.01)):
        error = made[storage] - made["fp32"]
        assert 0 < error.norm() <= bound * made["fp32"].norm()
        assert error.norm() <= bound * (made["fp32"] - x).norm()


def test_rms_norm_in_better_types():
    norm = RMSNorm(8, 1e-6)
    assert norm(torch.randn(3, 8, dtype=torch.float64)).dtype == torch.float64
    assert norm(torch.randn(3, 8).bfloat16()).dtype == torch.float32
