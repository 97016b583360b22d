"""Tensors made to fit, against PySlowFast's and EVA's numbers."""

import json

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from slowfast.weights.fitting import inflate, repeat_steps, resized_positions, unflatten


@pytest.fixture(scope="module")
def published(reference_dir):
    return json.loads((reference_dir / "parity" / "slowfast" / "functional.json").read_text())["checkpoint_adaptation"]


def close(actual, expected):
    torch.testing.assert_close(actual, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_positions_in_space(published):
    table = published["cases"][0]["tensors"]["pos_embed_spatial"]
    assert (table["in_shape"], table["out_shape"]) == ([1, 4, 4], [1, 9, 4])
    close(resized_positions(torch.tensor(table["in"]), (1, 9, 4), grid=(3, 3), num_prefix=0), table["out"])


def test_positions_in_time(published):
    table = published["cases"][0]["tensors"]["pos_embed_temporal"]
    resized = resized_positions(torch.tensor(table["in"]), (1, 4, 4), grid=(4, 1, 1), num_prefix=0)
    close(resized, table["out"])


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_each_time_step_is_resized_for_itself(mode):
    torch.manual_seed(0)
    table = torch.randn(1, 2 + 3 * 4 * 4, 5)
    resized = resized_positions(table, (1, 2 + 3 * 6 * 7, 5), grid=(3, 6, 7), num_prefix=2, mode=mode)
    assert torch.equal(resized[:, :2], table[:, :2])
    for step in range(3):
        image = table[:, 2 + 16 * step : 18 + 16 * step].transpose(1, 2).reshape(1, 5, 4, 4)
        expected = F.interpolate(image, size=(6, 7), mode=mode, align_corners=False).flatten(2).transpose(1, 2)
        torch.testing.assert_close(resized[:, 2 + 42 * step : 44 + 42 * step], expected)


@pytest.mark.parametrize(
    "shape, grid",
    [
        ((1, 1 + 16, 4), (2, 3, 3)),  # 16 / 2 cells are no square, and no multiple of 3 x 3
        ((1, 1 + 16, 5), (2, 2, 4)),  # another width
        ((1, 1, 4), (2, 3, 3)),  # no cells
        ((1, 0, 4), (2, 3, 3)),
        ((17, 4), (3, 3)),
    ],
)
def test_positions_that_cannot_be_resized(shape, grid):
    assert resized_positions(torch.zeros(shape), (1, 1 + 18, 4), grid=grid) is None


def test_an_ambiguous_grid_is_not_guessed():
    """64 cells: 16 steps of 2 x 2, or 4 steps of the model's 4 x 4."""
    assert resized_positions(torch.zeros(1, 64, 3), (1, 256, 3), grid=(16, 4, 4), num_prefix=0) is None


def test_steps_are_taken_round_and_round():
    table = torch.arange(6.0).reshape(1, 3, 1, 2)
    repeated = repeat_steps(table, (1, 7, 1, 2))
    assert repeated[0, :, 0, 0].tolist() == [0, 2, 4, 0, 2, 4, 0]
    assert repeat_steps(table, (1, 2, 1, 2))[0, :, 0, 1].tolist() == [1, 3]
    assert repeat_steps(table, (1, 7, 1, 3)) is None
    assert repeat_steps(table, (1, 7, 2)) is None


def test_inflated_kernels(published):
    case = published["inflate"]
    kernel = torch.tensor(case["in"]["w"])
    close(inflate(kernel, torch.tensor(case["model"]["w"]).shape), case["out"]["w"])
    assert inflate(kernel, (2, 2, 3, 1, 2)) is None
    assert inflate(torch.tensor(case["in"]["odd"]), (4,)) is None


def test_inflated_image_model_of_eva(reference_dir):
    tensors = load_file(reference_dir / "parity" / "eva_checkpoint_a.safetensors")
    expected = tensors["inflated/patch_embed.proj.weight"]
    assert torch.equal(inflate(tensors["image_checkpoint/patch_embed.proj.weight"], expected.shape), expected)


def test_kernels_stored_as_matrices():
    kernel = torch.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert torch.equal(unflatten(kernel.flatten(1), kernel.shape), kernel)
    assert unflatten(torch.zeros(2, 59), kernel.shape) is None
    assert unflatten(kernel, (2, 3, 5, 4)) is None
