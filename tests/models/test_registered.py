"""What every registered model must do; a new one is tested by being registered."""

import pytest
import torch

from slowfast.models import MODEL_REGISTRY, build_model
from slowfast.models.complexity import count_parameters, gmacs
from slowfast.models.layers.block import wrapping_units
from slowfast.utils.errors import ConfigError
from slowfast.weights import load_weights
from tests.models.sizes import clip_for, output_of, small_cfg

CORE = [name for name, model in sorted(MODEL_REGISTRY) if model.__module__.startswith("slowfast.")]
pytestmark = pytest.mark.parametrize("name", CORE)  # a project's tests name its own
BATCH = 3


@pytest.fixture
def cfg(name):
    return small_cfg(name)


@pytest.fixture
def model(cfg):
    torch.manual_seed(0)
    return build_model(cfg)


@pytest.fixture
def clip(cfg):
    torch.manual_seed(1)
    return torch.randn(clip_for(cfg, BATCH))


def test_logits_in_training_and_in_evaluation(name, model, clip):
    assert model.training
    for mode in (True, False):
        logits = model.train(mode)(clip)
        assert logits.shape == (BATCH, *output_of(name))
        assert logits.isfinite().all()
        assert (logits < 0).any()  # no softmax


def test_evaluation_is_deterministic_and_clips_do_not_see_each_other(model, clip):
    model.eval()
    with torch.no_grad():
        together = model(clip)
        assert torch.equal(together, model(clip))
        alone = torch.cat([model(one) for one in clip.split(1)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)


def test_the_order_of_frames_counts(model, clip):
    model.eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    with torch.no_grad():
        assert not torch.allclose(model(clip), model(clip.flip(2)), rtol=1e-3, atol=1e-4)


def test_gradients_reach_what_trains_and_nothing_else(model, clip):
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # a zero at the start may hide what lies before it
    model.eval()(clip).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert not parameter.requires_grad or parameter.grad.abs().sum() > 0, name


def test_the_same_seed_gives_the_same_weights(cfg, model):
    torch.manual_seed(0)
    again = build_model(cfg).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_it_builds_without_memory_and_counts_the_same(cfg, model):
    with torch.device("meta"):
        empty = build_model(cfg)
    assert all(parameter.is_meta for parameter in empty.parameters())
    assert {k: v.shape for k, v in empty.state_dict().items()} == {k: v.shape for k, v in model.state_dict().items()}
    assert count_parameters(empty) == count_parameters(model)
    assert gmacs(empty, clip_for(cfg)) == gmacs(model, clip_for(cfg)) > 0


def test_its_own_state_dict_loads_completely(cfg, model, clip):
    other = build_model(cfg)
    assert load_weights(other, model.state_dict()).complete
    assert torch.equal(other.eval()(clip), model.eval()(clip))


def test_activation_checkpointing_changes_no_number(name, clip):
    gradients = []
    for act_checkpoint in (False, True):
        torch.manual_seed(0)
        model = build_model(small_cfg(name, MODEL__ACT_CHECKPOINT=act_checkpoint))
        torch.manual_seed(2)  # drop-out draws
        model(clip).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters() if parameter.requires_grad])
    for plain, recomputed in zip(*gradients, strict=True):
        assert torch.equal(plain, recomputed)


def test_wrapping_units_hold_much_of_it_and_share_nothing(model):
    units = wrapping_units(model)
    held = [id(parameter) for unit in units for parameter in unit.parameters()]
    assert len(units) >= 2 and len(held) == len(set(held))
    sizes = {id(parameter): parameter.numel() for parameter in model.parameters()}
    assert sum(sizes[one] for one in held) > 0.4 * sum(sizes.values())  # so little only at such a size


def test_a_model_to_be_compiled_is_the_same_model(name, cfg, model, clip, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call, **options: compiled.append(call) or call)  # compiling takes long
    torch.manual_seed(0)
    other = build_model(small_cfg(name, MODEL__COMPILE=True))
    assert len(compiled) == 1
    assert gmacs(other, clip_for(cfg)) == gmacs(model, clip_for(cfg))
    assert torch.equal(other.eval()(clip), model.eval()(clip))
    assert list(other.state_dict()) == list(model.state_dict())


def test_bfloat16_autocast_stays_near(model, clip):
    model.eval()
    with torch.no_grad():
        exact = model(clip)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(clip)
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max() + 0.01


def test_another_name_lists_the_known_ones(name):
    cfg = small_cfg(name)
    cfg.MODEL.MODEL_NAME = name + "x"
    with pytest.raises(ConfigError, match=f"Did you mean '{name}'"):
        build_model(cfg)
