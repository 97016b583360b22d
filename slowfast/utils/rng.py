"""The one source of randomness: generators derived from (seed, purpose, ids), never a global state of their own."""

import hashlib

import numpy as np
import torch


def derive_seed(seed, purpose, *ids):
    """A 63-bit seed that depends on every argument.

    Args:
        seed: RNG_SEED.
        purpose: what the draw is for ("order", "clip", "dropout", ...); draws for different purposes are independent.
        ids: integers or strings, e.g. (epoch, sample id).
    """
    text = repr((int(seed), str(purpose), *(i if isinstance(i, str) else int(i) for i in ids)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_rng(seed, purpose, *ids):
    """numpy.random.Generator for one purpose and one set of ids."""
    return np.random.default_rng(derive_seed(seed, purpose, *ids))


def seed_torch(seed, purpose, *ids):
    """Re-seed torch's global generators (CPU and CUDA): dropout, drop path and initialisation draw from them."""
    torch.manual_seed(derive_seed(seed, purpose, *ids))
