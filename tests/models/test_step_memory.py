"""Memory of a step without taking it: every backbone, and what is known of small ones by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slowfast.models import MODEL_REGISTRY, build_model
from slowfast.models.step_memory import step_memory
from tests.models.sizes import clip_for, small_cfg

CORE = [name for name, model in sorted(MODEL_REGISTRY) if model.__module__.startswith("slowfast.")]


def square(model, frames, labels):
    return model(frames).square().mean()


@pytest.mark.parametrize("name", CORE)
def test_every_backbone(name):
    cfg = small_cfg(name)
    with torch.device("meta"):
        model = build_model(cfg)
    few, many = (step_memory(model, square, clip_for(cfg, batch), (batch,)) for batch in (2, 8))
    trained = sum(4 * parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert few.weights == few.gradients == trained
    everything = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    assert few.frozen == everything - trained
    assert 3 < many.activations / few.activations < 4.01
    assert everything + few.activations <= few.peak <= everything + few.gradients + few.activations
    with torch.device("meta"):
        recomputed = build_model(small_cfg(name, MODEL__ACT_CHECKPOINT=True))
    assert step_memory(recomputed, square, clip_for(cfg, 8), (8,)).activations < many.activations
    half = step_memory(model, square, clip_for(cfg, 8), (8,), autocast=torch.bfloat16)
    assert half.activations < many.activations


def test_by_hand():
    """Linear 30 -> 50, 20 rows: 600 numbers come in, 1,000 go out; the square's backward pass makes up to four more."""
    model = nn.Linear(30, 50, bias=False)
    found = step_memory(model, square, (20, 30), (20,))
    assert (found.weights, found.gradients, found.frozen) == (6000, 6000, 0)
    kept = 4 * (600 + 1000)
    assert kept + 4 * 1000 <= found.activations <= kept + 4 * 4000 + 64
    before = [parameter.clone() for parameter in model.parameters()]
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters()))


def test_kept_gradients_are_there_all_along():
    model = nn.Sequential(*(nn.Linear(100, 100, bias=False) for _ in range(6)))
    alone, kept = (step_memory(model, square, (3, 100), (3,), kept_gradients=k) for k in (False, True))
    assert kept.peak >= alone.peak + 4 * 100 * 100 * 0.9  # the new gradient beside the sum of those before it
    assert kept.gradients == alone.gradients


def test_what_is_frozen_has_no_gradient():
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
    model[0].requires_grad_(False)
    found = step_memory(model, square, (2, 64), (2,))
    assert found.weights == found.gradients == found.frozen == 4 * (64 * 64 + 64)


def test_attention_is_that_of_the_device():
    """Fused attention keeps no matrix of all pairs of tokens."""

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return F.scaled_dot_product_attention(x * self.scale, x, x)

    found = step_memory(Attend(), square, (1, 2, 512, 8), (1,))
    assert found.activations < 4 * 2 * 512 * 512


def test_labels_and_mode():
    model = nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(5)).eval()
    labels = torch.tensor([4, 0, 1])
    step_memory(model, lambda model, frames, labels: F.cross_entropy(model(frames), labels), (3, 8), labels)
    assert not model.training and model[1].num_batches_tracked == 0


def test_what_a_policy_keeps_takes_memory():
    cfg = {"DATA__TRAIN_CROP_SIZE": 48, "EVA_VIDEO__DEPTH": 6, "MODEL__ACT_CHECKPOINT": True}
    sizes = []
    for keep in ([], ["attention"], ["attention", "linear"]):
        cfg_here = small_cfg("EVAVideo", MODEL__ACT_CHECKPOINT_KEEP=keep, **cfg)
        with torch.device("meta"):
            model = build_model(cfg_here)
        sizes.append(step_memory(model, square, clip_for(cfg_here, 4), (4,)).activations)
    assert sizes[0] < sizes[1] < sizes[2]
