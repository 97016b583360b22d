"""The time shift against its definition, written out frame by frame and channel by channel."""

import pytest
import torch

from slowfast.models.layers.time_shift import TimeShift


def shifted_by_hand(x, num_segments, div):
    fold = x.shape[-1] // div
    out = torch.zeros_like(x)
    for frame in range(x.shape[0]):
        place = frame % num_segments
        for channel in range(x.shape[-1]):
            step = 1 if channel < fold else -1 if channel < 2 * fold else 0
            if 0 <= place + step < num_segments:
                out[frame, :, channel] = x[frame + step, :, channel]
    return out


@pytest.mark.parametrize(
    "groups, num_segments, tokens, dim, div",
    [(2, 4, 3, 10, 4), (3, 2, 5, 12, 3), (1, 8, 2, 36, 8), (4, 1, 3, 8, 2), (2, 5, 1, 7, 7)],
)
def test_it_follows_the_definition(groups, num_segments, tokens, dim, div):
    torch.manual_seed(0)
    x = torch.randn(groups * num_segments, tokens, dim)
    assert torch.equal(TimeShift(num_segments, div)(x), shifted_by_hand(x, num_segments, div))


def test_its_gradient_is_the_adjoint():
    torch.manual_seed(0)
    shift = TimeShift(4, 3)
    x, y = torch.randn(8, 2, 9, requires_grad=True), torch.randn(8, 2, 9)
    (gradient,) = torch.autograd.grad((shift(x) * y).sum(), x)
    unit = torch.eye(x.numel()).reshape(x.numel(), *x.shape)
    expected = torch.stack([(shifted_by_hand(e, 4, 3) * y).sum() for e in unit]).reshape(x.shape)
    torch.testing.assert_close(gradient, expected)


def test_its_input_is_left_alone():
    x = torch.randn(4, 2, 8)
    before = x.clone()
    TimeShift(4, 4)(x)
    assert torch.equal(x, before)
