"""Patterns over parameter names: what they cover, and what is said of those that cover nothing."""

import pytest

from slowfast.utils.errors import ConfigError
from slowfast.utils.name_patterns import matching

NAMES = ["blocks.1.mlp.weight", "blocks.1.mlp.bias", "blocks.10.mlp.weight", "head.weight", "side_adapter.fc"]


@pytest.mark.parametrize(
    "pattern, covered",
    [
        ("head.weight", {"head.weight"}),
        ("blocks.1", {"blocks.1.mlp.weight", "blocks.1.mlp.bias"}),
        ("blocks.1.mlp", {"blocks.1.mlp.weight", "blocks.1.mlp.bias"}),
        ("blocks.1*", {"blocks.1.mlp.weight", "blocks.1.mlp.bias", "blocks.10.mlp.weight"}),
        ("*.weight", {"blocks.1.mlp.weight", "blocks.10.mlp.weight", "head.weight"}),
        ("*adapter*", {"side_adapter.fc"}),
        ("blocks.[0-9].*.bias", {"blocks.1.mlp.bias"}),
    ],
)
def test_covers(pattern, covered):
    assert matching([pattern], NAMES, "KEY") == covered


def test_several_patterns_join():
    assert matching(["head", "*.bias"], NAMES, "KEY") == {"head.weight", "blocks.1.mlp.bias"}
    assert matching([], NAMES, "KEY") == set()


@pytest.mark.parametrize(
    "pattern, hint",
    [
        ("haed", "near it: head"),
        ("adapter", "near it: side_adapter, side_adapter.fc"),
        ("Blocks.1.mlp", "near it: blocks.1.mlp"),
        ("zzz", "the parameters' first names are blocks, head, side_adapter"),
    ],
)
def test_what_covers_nothing_is_named_with_its_neighbours(pattern, hint):
    with pytest.raises(ConfigError) as caught:
        matching(["head", pattern], NAMES, "MODEL.FREEZE")
    (problem,) = caught.value.problems
    assert problem.startswith(f"MODEL.FREEZE: '{pattern}' matches no parameter; ")
    assert hint in problem
