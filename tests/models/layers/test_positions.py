"""Resized position tables: order, prefix and the interpolation's definition."""

import math

import pytest
import torch
import torch.nn.functional as F

from slowfast.models.layers.positions import learnt_positions, resize_positions, sincos_positions


def test_an_equal_grid_needs_no_copy():
    positions = torch.randn(1, 1 + 6, 4)
    assert resize_positions(positions, (2, 3), (2, 3)) is positions


@pytest.mark.parametrize("num_prefix", [0, 1, 2])
def test_prefix_tokens_are_left_alone(num_prefix):
    positions = torch.randn(1, num_prefix + 6, 4)
    resized = resize_positions(positions, (2, 3), (5, 4), num_prefix=num_prefix)
    assert resized.shape == (1, num_prefix + 20, 4)
    assert torch.equal(resized[:, :num_prefix], positions[:, :num_prefix])


def test_a_plane_stays_a_plane_with_half_pixel_centres():
    """Straight lines come back, away from the border and but for the kernel (a = -0.75); 20 x 30 -> 40 x 45 cells."""
    rows, columns = torch.arange(20.0) + 0.5, torch.arange(30.0) + 0.5
    plane = torch.stack([rows[:, None].expand(20, 30), columns.expand(20, 30)], dim=-1).reshape(1, 600, 2)
    resized = resize_positions(plane, (20, 30), (40, 45), num_prefix=0).reshape(40, 45, 2)
    new_rows, new_columns = (torch.arange(40.0) + 0.5) / 2, (torch.arange(45.0) + 0.5) / 1.5
    inner = (slice(8, -8), slice(8, -8))
    torch.testing.assert_close(resized[..., 0][inner], new_rows[:, None].expand(40, 45)[inner], rtol=0, atol=0.06)
    torch.testing.assert_close(resized[..., 1][inner], new_columns.expand(40, 45)[inner], rtol=0, atol=0.06)


def test_it_equals_resizing_by_a_scale_factor():
    """The published code resizes by image / pre-training size; for whole patches that is the same."""
    torch.manual_seed(0)
    table = torch.randn(1, 14 * 14, 3)
    image = table.reshape(1, 14, 14, 3).permute(0, 3, 1, 2)
    expected = F.interpolate(image, scale_factor=320 / 224, mode="bicubic", align_corners=False)
    resized = resize_positions(table, (14, 14), (20, 20), num_prefix=0)
    torch.testing.assert_close(resized.reshape(1, 20, 20, 3).permute(0, 3, 1, 2), expected)


def test_learnt_positions_have_the_scale_asked_for():
    torch.manual_seed(0)
    for std in (0.02, 0.7):
        positions = learnt_positions(1, 400, 50, std=std)
        assert positions.requires_grad
        assert positions.std().item() == pytest.approx(0.88 * std, rel=0.02)  # a normal law cut at two scales
        assert positions.abs().max() <= 2 * std
    assert learnt_positions(1, 2, 3, std=0).abs().max() == 0


@pytest.mark.parametrize("dim", [6, 7])
def test_fixed_positions_follow_the_formula(dim):
    table = sincos_positions(40, dim)
    assert (table.shape, table.dtype) == ((1, 40, dim), torch.float32)
    for position in (0, 1, 17, 39):
        for j in range(dim):
            angle = position / 10000 ** (2 * (j // 2) / dim)
            expected = math.cos(angle) if j % 2 else math.sin(angle)
            assert table[0, position, j].item() == pytest.approx(expected, abs=1e-7)


def test_time_is_resized_linearly_and_space_per_time_step():
    """(time, rows, columns) (4, 6, 5) -> (8, 9, 5): each time step as a grid of its own, then torch's 1-D resizing."""
    torch.manual_seed(0)
    table = torch.randn(1, 2 + 4 * 6 * 5, 3)
    resized = resize_positions(table, (4, 6, 5), (8, 9, 5), num_prefix=2)
    assert torch.equal(resized[:, :2], table[:, :2])
    steps = table[:, 2:].reshape(4, 30, 3)
    space = torch.cat([resize_positions(step[None], (6, 5), (9, 5), num_prefix=0) for step in steps])  # (4, 45, 3)
    expected = F.interpolate(space.permute(1, 2, 0), size=8, mode="linear", align_corners=False).permute(2, 0, 1)
    torch.testing.assert_close(resized[:, 2:].reshape(8, 45, 3), expected)
