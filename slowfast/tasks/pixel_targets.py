"""Clips as patches of pixels and back, and what a masked autoencoder shall predict of them; pure functions."""

EPS = 1e-6  # added to a patch's standard deviation; Tong et al. 2022, https://arxiv.org/abs/2203.12602


def patches_of(clip, patch):
    """Cut a clip into the patches that tokens stand for.

    Args:
        clip: (B, C, T, H, W).
        patch: (frames, rows, columns) of a token, each a divisor of the clip's side.
    Returns:
        (B, N, pixels of a patch, C): tokens time-major, then rows, then columns; pixels likewise.
    """
    frames, rows, columns = patch
    x = clip.unflatten(4, (-1, columns)).unflatten(3, (-1, rows)).unflatten(2, (-1, frames))
    x = x.permute(0, 2, 4, 6, 3, 5, 7, 1)  # (B, time, down, across, frames, rows, columns, C)
    return x.flatten(4, 6).flatten(1, 3)


def clip_of(patches, patch, grid):
    """Put patches together again; the inverse of `patches_of`.

    Args:
        patches: (B, N, pixels of a patch, C).
        patch: as in `patches_of`.
        grid: patches along time, down and across.
    Returns:
        (B, C, T, H, W).
    """
    x = patches.unflatten(1, grid).unflatten(4, patch)  # (B, time, down, across, frames, rows, columns, C)
    x = x.permute(0, 7, 1, 4, 2, 5, 3, 6)  # (B, C, time, frames, down, rows, across, columns)
    return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def statistics(patches):
    """(mean, unbiased standard deviation + EPS) of each patch and colour; patches (B, N, n, C) -> (B, N, 1, C) each."""
    return patches.mean(dim=2, keepdim=True), patches.var(dim=2, keepdim=True).sqrt() + EPS


def pixel_targets(patches, *, standardised=True):
    """What to predict of each patch.

    Args:
        patches: (B, N, pixels of a patch, C), colours in [0, 1].
        standardised: each patch and colour brought to mean 0 and standard deviation 1.
    Returns:
        (B, N, pixels * C), colour channels running fastest.
    """
    if standardised:
        mean, deviation = statistics(patches)
        patches = (patches - mean) / deviation
    return patches.flatten(2)
