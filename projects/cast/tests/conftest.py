"""The core's fixtures, for the tests of this project."""

from tests.conftest import one_thread, reference_dir, repo

__all__ = ["one_thread", "reference_dir", "repo"]
