"""Looks inside: called for the class that registered one, and for no other."""

import pytest

from slowfast.evaluation import looks


def test_only_the_class_that_registered(monkeypatch):
    monkeypatch.setattr(looks, "LOOKS", {})

    class Glass:
        pass

    @looks.looks_inside("Glass")
    def draw(model, cfg, dataset, device):
        return [f"{type(model).__name__} {cfg} {dataset} {device}"]

    assert looks.look_inside(Glass(), "cfg", "data", "cpu") == ["Glass cfg data cpu"]
    assert looks.look_inside(object(), "cfg", "data", "cpu") == []
    with pytest.raises(AssertionError, match="two looks inside for 'Glass'"):
        looks.looks_inside("Glass")(draw)
