"""VideoMAE: published sizes, what the encoder sees, what the decoder paints, errors; numbers in tests/parity."""

import gzip
import json

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.models import build_model
from slowfast.models.complexity import count_parameters
from slowfast.models.video_vit import VideoViT
from slowfast.models.videomae import VideoMAE, others, take
from slowfast.solver.optimizer import build_optimizer
from slowfast.utils.errors import ConfigError
from slowfast.weights import load_pretrained
from tests.models.sizes import small_cfg

FRAMES, SIDE = 6, 24  # 3 time steps of 3 x 3 patches
HIDDEN = torch.tensor([[0, 4, 7, 9, 13, 16, 18, 22, 25], [2, 3, 8, 11, 12, 17, 20, 21, 26]])


def encoder(**options):
    sizes = {"patch_size": 8, "embed_dim": 20, "depth": 2, "num_heads": 4, "pooling": "token"}
    return VideoViT(0, FRAMES, SIDE, **(sizes | options))


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = VideoMAE(encoder(), decoder_dim=12, decoder_depth=1, decoder_heads=3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.fixture
def clip():
    return torch.randn(2, 3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def hidden_pixels(clip, hidden):
    """bool, shape of clip: pixels of hidden tokens."""
    mask = torch.zeros(len(hidden), 27).scatter_(1, hidden, 1).view(-1, 1, 3, 3, 3)
    return mask.repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4).bool().expand_as(clip)


def test_hidden_pixels_have_no_influence_and_visible_ones_have(model, clip):
    hidden = hidden_pixels(clip, HIDDEN)
    noise = torch.randn(clip.shape)
    before = model(clip, HIDDEN)
    assert torch.equal(model(torch.where(hidden, noise, clip), HIDDEN), before)
    assert not torch.allclose(model(torch.where(hidden, clip, noise), HIDDEN), before)


def test_each_clip_has_its_own_mask(model, clip):
    together = model(clip, HIDDEN)
    assert together.shape == (2, 9, 2 * 8 * 8 * 3)
    alone = torch.cat([model(one, hidden) for one, hidden in zip(clip.split(1), HIDDEN.split(1))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_predictions_follow_the_order_of_the_hidden_tokens(model, clip):
    turned = HIDDEN.flip(1)
    torch.testing.assert_close(model(clip, turned), model(clip, HIDDEN).flip(1), rtol=1e-4, atol=1e-5)


def test_another_clip_size(model):
    prediction = model(torch.randn(1, 3, 8, 16, 32), torch.arange(10)[None])
    assert prediction.shape == (1, 10, 384) and prediction.isfinite().all()


def test_tokens_that_are_left_out():
    assert others(torch.tensor([[1, 3], [0, 4]]), 5).tolist() == [[0, 2, 4], [1, 2, 3]]
    tokens = torch.arange(30.0).view(2, 5, 3)
    assert take(tokens, torch.tensor([[4, 0], [2, 2]]))[..., 0].tolist() == [[12, 0], [21, 21]]


@pytest.mark.parametrize(
    "size, fact",
    [("small", "videomae_pretrain_s16"), ("base", "videomae_pretrain_b16"), ("large", "videomae_pretrain_l16")],
)
def test_published_sizes(reference_dir, size, fact):
    facts = json.loads((reference_dir / "parity/full_size_facts.json").read_text())["configurations"][fact]
    published = json.loads(gzip.decompress((reference_dir / "parity/full_size_state_dicts.json.gz").read_bytes()))[fact]
    cfg = get_cfg()
    cfg.merge_from_list(["MODEL.MODEL_NAME", "VideoMAE", "TASK", "masked_pretraining", "DATA.NUM_FRAMES", 16])
    cfg.merge_from_list(["VIDEO_VIT.SIZE", size])
    with torch.device("meta"):
        model = build_model(cfg)
    assert count_parameters(model)[0] == facts["total_parameters"]
    entries = published["entries"] if "entries" in published else published
    names = {entry["key"]: entry["shape"] for entry in entries} if isinstance(entries, list) else entries
    assert {name: list(tensor.shape) for name, tensor in model.state_dict().items()} == names


def test_what_has_no_weight_decay_and_how_deep_parameters_lie():
    cfg = small_cfg(
        "VideoMAE", SOLVER__OPTIMIZING_METHOD="adamw", SOLVER__ZERO_WD_1D_PARAM=True, VIDEO_VIT__POSITIONS="learnt"
    )
    model = build_model(cfg)
    groups = build_optimizer(model, cfg, 0.1).param_groups
    exempt = {name for group in groups if not group["weight_decay"] for name in group["names"]}
    assert {"mask_token", "encoder.pos_embed", "encoder.blocks.0.attn.q_bias", "decoder.head.bias"} <= exempt
    assert "encoder_to_decoder.weight" not in exempt
    depths = {name: model.layer_of(name) for name, _ in model.named_parameters()}
    assert depths["encoder.patch_embed.proj.weight"] == depths["encoder.pos_embed"] == 0
    assert depths["encoder.blocks.1.mlp.fc1.weight"] == 2
    assert {depths[name] for name in ("encoder.norm.weight", "mask_token", "decoder.blocks.0.norm1.bias")} == {3}


def test_fine_tuning_starts_from_the_encoder(model, clip):
    classifier = VideoViT(5, FRAMES, SIDE, patch_size=8, embed_dim=20, depth=2, num_heads=4).eval()
    report = load_pretrained(classifier, model.state_dict())
    assert report.key_map == "VideoMAE pre-training" and report.backbone_fraction == 1.0 and not report.unexpected
    assert set(report.unfilled) == {"head.weight", "head.bias", "fc_norm.weight", "fc_norm.bias"}
    with torch.no_grad():
        ours = classifier.blocks(classifier.embed(clip))
        torch.testing.assert_close(ours, model.encoder.blocks(model.encoder.embed(clip)))


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"VIDEO_MAE__MASK_RATIO": 0.05}, "VIDEO_MAE.MASK_RATIO 0.05 hides 0 of 9 patches"),
        ({"VIDEO_MAE__DECODER_NUM_HEADS": 5}, "VIDEO_MAE.DECODER_NUM_HEADS 5 must be a divisor of .* 12: 1, 2, 3"),
        ({"VIDEO_VIT__CLASS_TOKEN": True}, "VIDEO_VIT.CLASS_TOKEN True"),
        ({"DATA__NUM_FRAMES": 7}, "DATA.NUM_FRAMES 7 must be a multiple"),
        ({"TASK": "classification"}, "set TASK masked_pretraining"),
    ],
)
def test_sizes_that_do_not_fit(changes, problem):
    with pytest.raises(ConfigError, match=problem):
        build_model(small_cfg("VideoMAE", **changes))
