"""From a folder of class folders to lists that the data set of the same name reads."""

import subprocess
import sys

import pytest

from slowfast.datasets.annotations import read_kinetics_csv


@pytest.fixture
def run(repo):
    def run_tool(*arguments):
        command = [sys.executable, "tools/prepare/make_file_list.py", *map(str, arguments)]
        return subprocess.run(command, cwd=repo, capture_output=True, text=True, env=None)

    return run_tool


def test_lists(run, tmp_path):
    for name in ("run/1, first.mp4", "run/2.webm", "jump/3.avi", "jump/4.mp4", "jump/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    done = run("--folder", tmp_path, "--val_fraction", "0.5")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "classes.txt").read_text() == "jump\nrun\n"
    rows = {split: read_kinetics_csv(tmp_path / f"{split}.csv", num_classes=2) for split in ("train", "val")}
    assert [row.label for row in rows["train"]] == [row.label for row in rows["val"]] == [0, 1]
    assert len({row.path for split in rows.values() for row in split}) == 4
    assert "MODEL.NUM_CLASSES 2" in done.stdout
    assert run("--folder", tmp_path, "--val_fraction", "0.5").returncode == 0  # the same again changes nothing
    (tmp_path / "val.csv").write_text("mine 0\n")
    refused = run("--folder", tmp_path)
    assert refused.returncode == 2 and "val.csv is there and says something else" in refused.stderr
    assert (tmp_path / "val.csv").read_text() == "mine 0\n"
    assert run("--folder", tmp_path, "--overwrite").returncode == 0


def test_refusals(run, tmp_path):
    for arguments, told in (
        (("--folder", tmp_path / "missing"), "no such folder"),
        (("--folder", tmp_path), "one folder a class"),
        (("--folder", tmp_path, "--val_fraction", "1"), "must be in"),
    ):
        done = run(*arguments)
        assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr
