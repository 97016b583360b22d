"""Groups of classes: read, refused, made in three ways, drawn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from projects.cast import group_classes
from projects.cast.tstl.clustering import cluster, confusion_similarity, word_similarity
from projects.cast.tstl.groups import read_groups
from slowfast.utils.command_line import run_command
from slowfast.utils.errors import UserError

GROUPS = Path(__file__).resolve().parents[2] / "groups"


def written(folder, content):
    path = folder / "groups.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_published_groups(reference_dir):
    table = json.loads((reference_dir / "tstl_groups_ssv2.json").read_text())
    groups = read_groups(GROUPS / "ssv2.json", 174)
    assert groups.num_groups == table["num_groups"] == 15
    assert {str(label): group for label, group in enumerate(groups.of_class)} == table["class_to_head"]
    assert sum(map(len, groups.members)) == 174


def test_ucf101_groups_are_made_from_its_label_words(tmp_path):
    words = ["--words", "--names", str(GROUPS / "ucf101_classes.txt"), "--num_groups", "10"]
    assert group_classes.main([*words, "--out", str(tmp_path / "made.json")]) == 0
    assert read_groups(tmp_path / "made.json", 101).of_class == read_groups(GROUPS / "ucf101.json", 101).of_class
    assert (tmp_path / "made.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"class_to_head": {"0": 0, "1": 1}}, r"leaves out 1 class\(es\) \(2\) of 3 classes"),
        ({"class_to_head": {"0": 0, "1": 1, "2": 0, "7": 1}}, r"names 1 class\(es\) \(7\), but the classes are 0 to 2"),
        ({"class_to_head": {"0": 0, "1": 2, "2": 0}}, r"no class in group\(s\) 1"),
        ({"class_to_head": {"0": 0, "1": 1, "2": 0}, "num_groups": 3}, r"no class in group\(s\) 2"),
        ({"class_to_head": {"0": 0, "1": 1, "2": 4}, "num_groups": 2}, "groups 4 outside 0 to 1"),
        ({"class_to_head": {"0": -1, "1": 0, "2": 0}}, "groups -1 outside"),
        ({"class_to_head": {}}, "names no class"),
        ({"groups": []}, "class_to_head"),
        ("{", "is no JSON"),
        ({"class_to_head": {"0": 0, "1": 0, "2": 0}, "class_names": ["a"]}, "1 class names for 3"),
    ],
)
def test_wrong_files_are_refused_by_name(tmp_path, content, told):
    with pytest.raises(UserError, match=told) as caught:
        read_groups(written(tmp_path, content), 3)
    assert "groups.json" in str(caught.value) and "group_classes.py" in str(caught.value)


def test_missing_files_are_refused():
    with pytest.raises(UserError, match=r"TSTL\.GROUPS_PATH is empty"):
        read_groups("")
    with pytest.raises(UserError, match=r"cannot read nowhere\.json"):
        read_groups("nowhere.json")


def test_clusters_follow_what_is_confused():
    matrix = np.diag([50] * 6)
    for first, second in ((0, 3), (1, 4), (2, 5)):
        matrix[first, second] = matrix[second, first] = 20
    matrix[0, 1] = 5
    assert cluster(confusion_similarity(matrix), 3) == [0, 1, 2, 0, 1, 2]
    assert cluster(confusion_similarity(matrix), 2, largest=4) == [0, 0, 1, 0, 0, 1]
    assert cluster(confusion_similarity(matrix), 6) == [0, 1, 2, 3, 4, 5]


def test_no_group_swallows_the_others():
    similarity = np.ones((12, 12)) - np.eye(12)
    assert max(np.bincount(cluster(similarity, 4))) <= 6
    assert max(np.bincount(cluster(similarity, 4, largest=4))) == 4
    with pytest.raises(UserError, match="--largest 2"):  # no place for all
        cluster(similarity, 4, largest=2)
    with pytest.raises(UserError, match="--num_groups 13"):
        cluster(similarity, 13)


def test_words_of_labels():
    similarity = word_similarity(["PlayingCello", "PlayingGuitar", "CliffDiving", "Diving", "Pretending to dive"])
    assert similarity[0, 1] > 0.3 and similarity[2, 3] > 0.3 and similarity[0, 2] == similarity[0, 3] == 0


def test_given_lists_by_name_or_number(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("red ball\nblue ball\nred box\n")
    lists, out = tmp_path / "lists.json", tmp_path / "out.json"
    lists.write_text(json.dumps([["Red Ball", 2], ["blue_ball"]]))
    assert group_classes.main(["--lists", str(lists), "--names", str(names), "--out", str(out)]) == 0
    groups = read_groups(out, 3)
    assert groups.of_class == (0, 1, 0) and groups.class_names == ("red ball", "blue ball", "red box")


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ([["red ball", "bleu ball"]], "'bleu ball' is no class .nearest: 'blue ball'"),
        ([[0, 1], [1, 2]], "class 1 is in groups 0 and 1"),
        ([[0, 1]], "leaves out"),
        ([[0, 1, 2], [9]], "names 1 class"),
        ([[0, 1, 2], []], r"no class in group\(s\) 1"),
        ({"0": 1}, "list of lists"),
    ],
)
def test_wrong_lists_end_with_code_2(tmp_path, capsys, lists, told):
    names, path = tmp_path / "names.txt", tmp_path / "lists.json"
    names.write_text("red ball\nblue ball\nred box\n")
    path.write_text(json.dumps(lists))
    words = ["--lists", str(path), "--names", str(names), "--out", str(tmp_path / "out.json")]
    assert run_command(lambda: group_classes.main(words)) == 2
    assert told.split(".")[0].split("\\")[0] in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_groups_from_a_test_run(tmp_path, repo):
    labels = np.repeat(np.arange(4), 10)
    scores = np.eye(4)[np.where(np.arange(40) % 5 == 0, labels ^ 1, labels)]
    np.savez(tmp_path / "predictions.npz", scores=scores, labels=labels, class_names=np.array(list("abcd")))
    words = ["--confusion", str(tmp_path / "predictions.npz"), "--num_groups", "2", "--out", str(tmp_path / "out.json")]
    command = [sys.executable, "projects/cast/group_classes.py", *words]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, env={"PYTHONPATH": str(repo)})
    assert done.returncode == 0, done.stderr
    assert read_groups(tmp_path / "out.json", 4).of_class == (0, 0, 1, 1)
    np.savez(tmp_path / "predictions.npz", scores=scores, labels=np.zeros((40, 2)), class_names=np.array(list("abcd")))
    with pytest.raises(UserError, match="one known label a video"):
        group_classes.main(words)
