"""Patches against explicit indexing, standardisation against numpy."""

import numpy as np
import torch

from slowfast.tasks.pixel_targets import clip_of, patches_of, pixel_targets, statistics

PATCH, GRID = (2, 3, 4), (3, 2, 5)
CLIP = torch.rand(2, 3, 6, 6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_patches_in_raster_order():
    patches = patches_of(CLIP, PATCH)
    assert patches.shape == (2, 30, 24, 3)
    for token, (t, y, x) in enumerate(np.ndindex(GRID)):
        for pixel, (dt, dy, dx) in enumerate(np.ndindex(PATCH)):
            assert torch.equal(patches[:, token, pixel], CLIP[:, :, 2 * t + dt, 3 * y + dy, 4 * x + dx])


def test_back_to_the_clip():
    assert torch.equal(clip_of(patches_of(CLIP, PATCH), PATCH, GRID), CLIP)


def test_each_patch_and_colour_is_standardised_alone():
    patches = patches_of(CLIP, PATCH)
    targets = pixel_targets(patches).unflatten(2, (24, 3)).numpy()
    one = patches[1, 17, :, 2].numpy()
    np.testing.assert_allclose(targets[1, 17, :, 2], (one - one.mean()) / (one.std(ddof=1) + 1e-6), rtol=1e-12)


def test_raw_pixels_stay_with_colours_running_fastest():
    assert torch.equal(pixel_targets(patches_of(CLIP, PATCH), standardised=False)[0, 4, :3], CLIP[0, :, 0, 0, 16])


def test_a_flat_patch_has_a_finite_target():
    patches = torch.full((1, 1, 8, 3), 0.3)
    assert torch.equal(pixel_targets(patches), torch.zeros(1, 1, 24))
    assert (statistics(patches)[1] > 0).all()
