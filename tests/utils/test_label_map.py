"""Class names in all the ways that data sets publish them."""

import pytest

from slowfast.utils.errors import UserError
from slowfast.utils.label_map import read_label_map


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("names.txt", "run\njump, high\n3 points\n", {0: "run", 1: "jump, high", 2: "3 points"}),
        ("labels.csv", "id,name\n0,abseiling\n1,air drumming\n", {0: "abseiling", 1: "air drumming"}),
        ("labels.csv", '1,"turn on, light"\n0,take\n', {0: "take", 1: "turn on, light"}),
        (
            "EPIC_100_verb_classes.csv",
            "id,key,instances,category\n0,take,\"['a', 'b']\",x\n1,put,['c'],y\n",
            {0: "take", 1: "put"},
        ),
        ("classInd.txt", "1 ApplyEyeMakeup\n2 Archery\n", {1: "ApplyEyeMakeup", 2: "Archery"}),
        (
            "labels.json",
            '{"Closing something": "1", "Opening something": 0}',
            {0: "Opening something", 1: "Closing something"},
        ),
        ("labels.json", '{"0": "run", "1": "jump"}', {0: "run", 1: "jump"}),
    ],
)
def test_kinds(name, text, expected, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = read_label_map(tmp_path / name)
    assert found == expected and list(found) == sorted(found)


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "["), ("a.json", "[1]"), ("a.csv", "0,run\n0,jump\n"), ("a.txt", "a\n\nb")]
)
def test_what_does_not_fit(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=name):
        read_label_map(tmp_path / name)
