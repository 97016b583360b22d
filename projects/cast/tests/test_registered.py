"""CAST, its spatial expert and a member of TSTL under the tests of every registered model."""

import pytest
import torch

from slowfast.models.layers.attention import set_attention
from tests.models import test_registered as core
from tests.models.sizes import NUM_CLASSES, SMALL

pytestmark = pytest.mark.parametrize("name", ["CAST", "ClipViT", "TSTLMember"])

SMALL["CAST"] = {
    "PROJECTS": ["projects.cast"],
    "DATA.NUM_FRAMES": 6,
    "DATA.TRAIN_CROP_SIZE": 24,
    "DATA.TEST_CROP_SIZE": 32,
    "CAST.PATCH_SIZE": 8,
    "CAST.EMBED_DIM": 24,
    "CAST.DEPTH": 2,
    "CAST.NUM_HEADS": 3,
    "MODEL.DROPOUT_RATE": 0.1,
    "CAST.DROP_PATH_RATE": 0.1,
}
SMALL["ClipViT"] = {key: value for key, value in SMALL["CAST"].items() if key != "CAST.DROP_PATH_RATE"}
SMALL["TSTLMember"] = SMALL["CAST"]
WITHOUT_INFLUENCE = "blocks.1.t2s_cross."  # the last block's patch tokens of the spatial stream are never read

for _name, _object in vars(core).items():
    if _name.startswith("test_") or _name in ("cfg", "model", "clip"):
        globals()[_name] = _object


def test_logits_in_training_and_in_evaluation(name, model, clip):
    """CAST's last adapters start at zero, and with them the one head's logits."""
    assert name == "ClipViT" or not model(clip).any()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    for mode in (True, False):
        logits = model.train(mode)(clip)
        assert logits.shape == (core.BATCH, NUM_CLASSES)
        assert logits.isfinite().all()


def test_gradients_reach_what_trains_and_nothing_else(model, clip):
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.eval()(clip).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        if parameter.requires_grad:
            assert (parameter.grad.abs().sum() > 0) == (not name.startswith(WITHOUT_INFLUENCE)), name


def test_the_order_of_frames_counts(name, model, clip):
    """Not to the spatial expert, of the frames that it sees."""
    if name != "ClipViT":
        core.test_the_order_of_frames_counts(model, clip)
    else:
        clip = clip.repeat_interleave(2, dim=2)
        torch.testing.assert_close(model.eval()(clip.flip(2)), model(clip))


def test_kernels_agree(model, clip):
    model.eval()
    fused = model(clip)
    set_attention(model, "explicit")
    torch.testing.assert_close(model(clip), fused, rtol=1e-4, atol=1e-6)
