"""The reconstruction loss by hand, from frames as the engine normalises them."""

import numpy as np
import pytest
import torch

from slowfast.config import get_cfg
from slowfast.datasets.transforms import Normalize
from slowfast.tasks import build_task
from slowfast.utils.errors import ConfigError

PATCH = 4
FRAMES = torch.randint(0, 256, (2, 3, 4, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
HIDDEN = torch.tensor([[1, 2, 5, 6], [0, 3, 4, 7]])


def config(**changes):
    cfg = get_cfg()
    cfg.merge_from_list(["TASK", "masked_pretraining", "MODEL.LOSS_FUNC", "mse", "VIDEO_VIT.PATCH_SIZE", PATCH])
    cfg.merge_from_list([word for key, value in changes.items() for word in (key.replace("__", "."), value)])
    return cfg


def expected(*, standardised, reverse=False):
    """(B, M, P): the hidden tubelets' pixels in [0, 1]."""
    clip = FRAMES.flip(1).numpy() / 255 if reverse else FRAMES.numpy() / 255
    targets = []
    for one, hidden in zip(clip, HIDDEN.tolist()):
        for token in hidden:
            t, y, x = np.unravel_index(token, (2, 2, 2))
            cube = one[:, 2 * t : 2 * t + 2, PATCH * y : PATCH * (y + 1), PATCH * x : PATCH * (x + 1)]
            values = cube.reshape(3, -1).T  # pixels, colours
            if standardised:
                values = (values - values.mean(0)) / (values.std(0, ddof=1) + 1e-6)
            targets.append(values.reshape(-1))
    return torch.from_numpy(np.stack(targets)).view(2, 4, -1)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("standardised", [True, False])
def test_loss_and_targets(standardised, reverse):
    options = {"VIDEO_MAE__NORM_PIXELS": standardised, "DATA__REVERSE_INPUT_CHANNEL": reverse}
    cfg = config(**options, DATA__MEAN=[0.4, 0.5, 0.6], DATA__STD=[0.2, 0.25, 0.3])
    frames = Normalize(cfg.DATA.MEAN, cfg.DATA.STD, reverse_channels=reverse)(FRAMES)
    task, target = build_task(cfg), expected(standardised=standardised, reverse=reverse)
    torch.testing.assert_close(task.targets(frames, HIDDEN).double(), target, rtol=1e-4, atol=1e-5)
    prediction = torch.randn(target.shape, generator=torch.Generator().manual_seed(1))
    asked = []
    loss, counts = task.loss(lambda *inputs: asked.append(inputs) or prediction, frames, HIDDEN)
    assert loss.item() == pytest.approx(((prediction - target) ** 2).mean().item(), rel=1e-5)
    assert counts == {} and asked[0][0] is frames and asked[0][1] is HIDDEN


def test_a_loss_for_labels_is_refused():
    with pytest.raises(ConfigError, match=r"MODEL.LOSS_FUNC: 'cross_entropy' is for labels; .* takes mse"):
        build_task(config(MODEL__LOSS_FUNC="cross_entropy"))


@pytest.mark.parametrize("standardised", [True, False])
def test_perfect_predictions_give_the_clip_back(standardised):
    cfg = config(VIDEO_MAE__NORM_PIXELS=standardised)
    frames, task = Normalize(cfg.DATA.MEAN, cfg.DATA.STD)(FRAMES), build_task(cfg)
    clips, seen, made = task.reconstruct(frames, HIDDEN, task.targets(frames, HIDDEN))
    torch.testing.assert_close(clips, FRAMES / 255, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made, clips, rtol=1e-4, atol=1e-5)
    grey = seen == 0.5
    assert grey[0].all(0).all(0).sum() == 32  # token 1 and 2 hidden at the first time step, 5 and 6 at the second
    assert torch.equal(seen[~grey], clips[~grey])
