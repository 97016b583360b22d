"""Checkpoints without frozen weights: what is left out, what comes back, and what is refused."""

import hashlib

import pytest
import torch

from slowfast.config import get_cfg
from slowfast.utils.errors import UserError
from slowfast.weights import complete, frozen_digest, without_frozen
from slowfast.weights.start import STARTS


class Half(torch.nn.Module):
    """A frozen layer, a trained one, a buffer."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.trunk = torch.nn.Linear(2, 3).requires_grad_(False)
        self.head = torch.nn.Linear(3, 1)
        self.register_buffer("seen", torch.zeros(1))


@pytest.fixture
def starts(monkeypatch):
    monkeypatch.setitem(STARTS, "Half", lambda model, cfg: model.trunk.load_state_dict(Half(0).trunk.state_dict()))


def partial(model):
    return without_frozen({"model_state": model.state_dict(), "epoch": 3}, model, frozen_digest(model))


def test_the_frozen_part_is_left_out_and_comes_back(starts):
    model = Half()
    content = partial(model)
    assert set(content["model_state"]) == {"head.weight", "head.bias", "seen"} and content["epoch"] == 3
    other = Half(seed=1)
    whole = complete(content, other, get_cfg(), "c.pyth")
    for name, tensor in model.state_dict().items():
        assert torch.equal(whole["model_state"][name], tensor), name
    assert complete({"model_state": {}}, other, get_cfg(), "c.pyth") == {"model_state": {}}


def test_the_digest_by_hand():
    model = Half()
    text = hashlib.sha256()
    for name in ("bias", "weight"):
        tensor = getattr(model.trunk, name)
        text.update(f"trunk.{name} torch.float32 {tuple(tensor.shape)}\n".encode() + tensor.detach().numpy().tobytes())
    assert frozen_digest(model) == text.hexdigest() == frozen_digest(Half()) != frozen_digest(Half(1))


def test_another_frozen_part_is_refused(starts):
    content = partial(Half(seed=5))
    with pytest.raises(UserError, match=r"c\.pyth holds only what was trained; .* another SHA-256"):
        complete(content, Half(), get_cfg(), "c.pyth")


def test_the_frozen_part_from_a_file(tmp_path):
    """For models whose class starts from nothing of its own."""
    model = Half(seed=2)
    torch.save(model.state_dict(), tmp_path / "whole.pth")
    torch.save(partial(model), tmp_path / "part.pth")
    cfg = get_cfg()
    for name, fits in (("whole.pth", True), ("part.pth", False)):
        cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / name)
        if fits:
            found = complete(partial(model), Half(seed=3), cfg, "c.pyth")["model_state"]["trunk.weight"]
            assert torch.equal(found, model.trunk.weight)
        else:
            with pytest.raises(UserError, match="another SHA-256"):
                complete(partial(model), Half(seed=3), cfg, "c.pyth")
