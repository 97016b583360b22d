"""The network of selector and experts: golden cases in every way of computing, and features beside logits."""

import pytest
import torch

from projects.cast.tests.sizes import CROP, FRAMES, SIZES, clip
from projects.cast.tstl.member import TSTLMember
from slowfast.models.layers.attention import IMPLEMENTATIONS
from slowfast.parity import check_case, read_case


@pytest.mark.parametrize("act_checkpoint", [False, True])
@pytest.mark.parametrize("attention", IMPLEMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_golden_cases(reference_dir, dtype, attention, act_checkpoint):
    paths = sorted((reference_dir / "parity").glob("tstl_backbone_*.json"))
    assert paths
    for path in paths:
        result = check_case(read_case(path), dtype=dtype, attention=attention, act_checkpoint=act_checkpoint)
        assert result.passed, f"{path.stem}: {result}"


def test_features_beside_logits():
    torch.manual_seed(0)
    model = TSTLMember(5, FRAMES, CROP, **SIZES).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    logits, features = model(clip(), with_features=True)
    assert torch.equal(logits, model(clip()))
    torch.testing.assert_close(model.head(features.fused), logits)
    assert features.spatial.shape == features.temporal.shape == features.fused.shape == (2, SIZES["embed_dim"])
