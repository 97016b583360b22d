"""Sets that transformers writes, and layers that it computes, with rotary positions and mask taken out."""

import pytest
import torch

from slowfast.models import build_model
from slowfast.weights.llama import load_llama
from tests.models.sizes import small_cfg

transformers = pytest.importorskip("transformers", minversion="5")


@pytest.mark.parametrize("shard_size", ["5GB", "30KB"])
@pytest.mark.parametrize("kind", ["LlamaForCausalLM", "LlamaModel"])
def test_the_same_layers(tmp_path, shard_size, kind):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=48,
        intermediate_size=56,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=2,
        vocab_size=31,
        attn_implementation="eager",
    )
    theirs = getattr(transformers, kind)(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    theirs.save_pretrained(tmp_path / "set", max_shard_size=shard_size)
    assert (len(list((tmp_path / "set").glob("*.safetensors"))) > 2) == (shard_size == "30KB")

    model = build_model(small_cfg("ViTLLaMA")).eval()
    load_llama(model, tmp_path / "set", first_layer=2, load_norm=True)
    x = torch.randn(2, 7, 48)
    decoder = getattr(theirs, "model", theirs)
    unturned = torch.ones(1, 7, 8), torch.zeros(1, 7, 8)  # cosine and sine of no angle
    expected = x
    with torch.no_grad():
        for layer in decoder.layers[2:4]:
            output = layer(expected, attention_mask=None, position_embeddings=unturned)
            expected = output[0] if isinstance(output, tuple) else output
        torch.testing.assert_close(model.llama(x), decoder.norm(expected), rtol=1e-4, atol=1e-5)
