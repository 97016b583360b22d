"""The comparison of transforms: it runs, does the same as Pillow, and has a row for each contender."""

import json

import numpy as np
import pytest

from benchmarks import augmentation, data


def test_it_writes_its_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "LENGTH", 80)
    assert augmentation.main(["--clips", "2", "--out", str(tmp_path / "figures.json")]) == 0
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    parts = [f"{name}: {part}" for name in augmentation.RECIPES for part in ("loader", "all")]
    assert [row["what"] for row in rows] == ["decoding", *parts, augmentation.PILLOW]
    assert [row["what"] for row in rows if row["to_pillow"]] == ["box, flip: all"]
    assert all(row["ms"] > 0 and row["to_decoding"] > 0 for row in rows)


@pytest.mark.parametrize("seed", range(4))
def test_both_do_the_same(seed):
    """But for antialiasing, which Pillow adds where it makes pictures smaller: a smooth clip hides it."""
    rows, columns = np.mgrid[:256, :340] / 340
    clip = np.stack([255 * rows, 255 * columns, 120 + 0 * rows], axis=-1).astype(np.uint8)[None].repeat(2, axis=0)
    recipe = augmentation.Recipe(augmentation.RECIPES["box, flip"])
    drawn = recipe.load(clip, seed).drawn
    ours, pillow = recipe(clip, seed)[0], augmentation.by_pillow(clip, drawn.box, drawn.flipped)
    assert ours.shape == pillow.shape == (3, 2, 224, 224)
    assert (ours - pillow).abs().max() < 3 / 255 / 0.225
