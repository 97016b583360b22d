"""Normalisation against its formula in float64."""

import torch

from slowfast.datasets.transforms import Normalize

MEAN, STD = [0.45, 0.4, 0.5], [0.225, 0.25, 0.2]


def clip():
    frames = torch.randint(0, 256, (2, 4, 5, 6, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return frames.permute(0, 4, 1, 2, 3)


def expected(frames):
    mean, std = (torch.tensor(x, dtype=torch.float64).view(-1, 1, 1, 1) for x in (MEAN, STD))
    return (frames.double() / 255 - mean) / std


def test_formula():
    out = Normalize(MEAN, STD)(clip())
    assert out.dtype == torch.float32 and out.is_contiguous() and out.shape == (2, 3, 4, 5, 6)
    torch.testing.assert_close(out.double(), expected(clip()), rtol=1e-6, atol=1e-6)


def test_reversed_channels():
    out = Normalize(MEAN, STD, reverse_channels=True)(clip())
    torch.testing.assert_close(out.double(), expected(clip())[:, [2, 1, 0]], rtol=1e-6, atol=1e-6)


def test_input_is_left_alone_and_nothing_is_saved():
    frames = clip()
    normalize = Normalize(MEAN, STD)
    normalize(frames)
    assert torch.equal(frames, clip()) and normalize.state_dict() == {}
