"""The toy set with a verb and a noun: what the labels say is what the clips show."""

import colorsys
import json

import numpy as np
import pytest

from slowfast.datasets.toy import NOUNS, VERBS, draw_clip, draw_look, shape_positions, with_noun
from slowfast.utils.rng import numpy_rng
from tools.prepare.make_toy_dataset import make_toy_dataset


def test_every_shape_and_colour_is_a_noun():
    look = draw_look(numpy_rng(1, "test"))
    seen = [with_noun(look, noun) for noun in range(len(NOUNS))]
    assert len({(one.outline, tuple(one.colours.ravel())) for one in seen}) == len(NOUNS) == 12
    assert all((one.colours[0] == one.colours[1]).all() and 0.4 <= one.zoom <= 1 for one in seen)
    for noun, one in zip(NOUNS, seen):  # the colour wheel by the standard library
        hue = colorsys.rgb_to_hsv(*one.colours[0] / 255)[0]
        told = ("red", "yellow", "green", "cyan", "blue", "magenta").index(noun.split("_")[0]) / 6
        assert abs((hue - told + 0.5) % 1 - 0.5) < 0.03


@pytest.mark.parametrize("verb", VERBS)
def test_positions_are_where_the_shape_is(verb):
    look = draw_look(numpy_rng(2, "test"))
    frames, positions = draw_clip(verb, look, range(6), 64), shape_positions(verb, look, range(6))
    bright = frames.max(axis=-1) > 120
    for picture, (x, y) in zip(bright, positions):
        rows, columns = np.nonzero(picture)
        for found, told in ((columns, x), (rows, y)):
            angle = np.angle(np.exp(2j * np.pi * (found + 0.5) / 64).mean())  # the mean on the glued frame
            assert abs((angle / (2 * np.pi) - told + 0.5) % 1 - 0.5) < 0.06


def test_lists(tmp_path):
    options = {"kind": "verb_noun", "train_per_class": 1, "val_per_class": 1, "size": 32, "num_frames": 2, "fps": 12}
    assert make_toy_dataset(tmp_path, seed=1, **options) == "made"
    assert make_toy_dataset(tmp_path, seed=1, **options).startswith("kept")
    rows = [line.split(",") for line in (tmp_path / "train.csv").read_text().splitlines()]
    assert len(rows) == len(VERBS) * len(NOUNS)
    for path, verb, noun in rows:
        assert path.split("/")[1] == f"{VERBS[int(verb)]}_{NOUNS[int(noun)]}" and (tmp_path / path).is_file()
    nouns = [line.split() for line in (tmp_path / "nouns" / "train.csv").read_text().splitlines()]
    assert nouns == [[path, noun] for path, _, noun in rows]
    assert (tmp_path / "classes.txt").read_text().split() == [*VERBS, *NOUNS]
    assert set(json.loads((tmp_path / "toy.json").read_text())["files"]) > {"nouns/val.csv", "train.csv"}
    make_toy_dataset(tmp_path, seed=2, overwrite=True, **options)
    make_toy_dataset(tmp_path, seed=1, overwrite=True, **{**options, "kind": "motion"})
    assert not (tmp_path / "nouns").exists()
    assert "kind" not in json.loads((tmp_path / "toy.json").read_text())["options"]
