"""The doctor's command line: what it finds, what it writes, what it never touches, how it ends."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from slowfast.utils.command_line import run_command
from tests.datasets.clips import moving_texture, write_video


@pytest.fixture(scope="module")
def tool(repo):
    spec = importlib.util.spec_from_file_location("check_dataset", repo / "tools/prepare/check_dataset.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three different videos of 12 frames."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_video(folder / f"{seed}.mp4", moving_texture(12, 32, 48, seed)) for seed in range(3)]


@pytest.fixture
def folder(clips, tmp_path):
    """Class folders with three good videos, an empty file, a pipe and a copy."""
    root = tmp_path / "videos"
    for name, clip in zip(("run/a.mp4", "run/b.mp4", "walk/c.mp4", "walk/copy of c.mp4"), (*clips, clips[2])):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, root / name)
    (root / "walk/empty.mp4").touch()
    os.mkfifo(root / "walk/pipe.mp4")
    return root


@pytest.fixture
def command(tool, capfd):
    """function (words) -> (exit code, standard output, standard error) of the command in this process."""

    def command(*words):
        capfd.readouterr()
        code = run_command(lambda: tool.main([str(word) for word in words]))
        return code, *capfd.readouterr()

    return command


def start(repo, *words, **options):
    """The command in a process of its own."""
    words = [sys.executable, "tools/prepare/check_dataset.py", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    return subprocess.Popen(words, cwd=repo, env=environment, text=True, stdout=subprocess.PIPE, **options)


def states(root):
    """All that a change would change, of every file below."""
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size, path.lstat().st_ino) for path in root.rglob("*")}


def read(out):
    report = json.loads((out / "report.json").read_text())
    return report, {os.path.basename(row["path"]): row for row in report["files"]}


def test_folder(repo, folder, tmp_path):
    before = states(folder)
    process = start(repo, "--folder", folder, "--out", tmp_path / "out", "--workers", 2)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    report, files = read(tmp_path / "out")
    assert {name: row["status"] for name, row in files.items()} == {
        **{"a.mp4": "ok", "b.mp4": "ok", "c.mp4": "ok", "copy of c.mp4": "duplicate"},
        **{"empty.mp4": "unreadable", "pipe.mp4": "unreadable"},
    }
    row = files["a.mp4"]
    assert (row["split"], row["label"], row["frames"], row["width"], row["height"]) == ("all", 0, 12, 48, 32)
    assert row["seconds"] == pytest.approx(12 / 30)
    assert (tmp_path / "out/all.csv").read_text().splitlines() == [
        *(f"{folder}/run/a.mp4 0", f"{folder}/run/b.mp4 0", f"{folder}/walk/c.mp4 1")
    ]
    assert "empty.mp4: unreadable: the file is empty" in output
    assert "<svg" in (tmp_path / "out/report.html").read_text()
    assert states(folder) == before
    assert report["options"]["full"] is False


def test_lists_labels_and_leaks(command, clips, tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for name, clip in zip(("a.mp4", "b.mp4", "c.mp4", "leak.mp4"), (*clips, clips[2])):
        shutil.copy(clip, root / name)
    (tmp_path / "train.csv").write_text("a.mp4 0\nb.mp4 3\nleak.mp4 1\nnone.mp4 1\n")
    (tmp_path / "val.csv").write_text("c.mp4 1\n")
    lists = ["--csv", tmp_path / "train.csv", tmp_path / "val.csv", "--root", root, "--num_classes", 2]
    assert command(*lists, "--out", tmp_path / "out", "--full")[0] == 1
    report, files = read(tmp_path / "out")
    assert {name: row["status"] for name, row in files.items()} == {
        **{"a.mp4": "ok", "b.mp4": "ok", "leak.mp4": "duplicate", "none.mp4": "missing", "c.mp4": "ok"}
    }
    assert [row["label"] for row in report["labels_out_of_range"]] == [3]
    assert [row["path"] for row in report["leaks"]] == [f"{root}/leak.mp4"]
    assert (tmp_path / "out/train.csv").read_text() == f"{root}/a.mp4 0\n"
    assert (tmp_path / "out/val.csv").read_text() == f"{root}/c.mp4 1\n"


def test_config(command, repo, reference_dir, tmp_path):
    words = ["--cfg", repo / "configs/Toy/xvit_toy.yaml", "DATA.PATH_TO_DATA_DIR", reference_dir / "realset"]
    assert command(*words, "MODEL.NUM_CLASSES", 5, "--out", tmp_path / "out")[0] == 0
    report, _ = read(tmp_path / "out")
    assert {split: numbers["well"] for split, numbers in report["splits"].items()} == {
        "train": 37,
        "val": 21,
        "test": 21,
    }
    assert report["splits"]["train"]["classes"] == 5


def test_a_killed_scan_goes_on(command, repo, clips, tmp_path):
    """Killed after some files: what had been found is found in the journal, and the rest is looked at."""
    root, out = tmp_path / "videos", tmp_path / "out"
    (root / "run").mkdir(parents=True)
    for number in range(300):
        (root / f"run/{number}.mp4").write_bytes(clips[0].read_bytes() + bytes(number))
    words = ["--folder", root, "--out", out, "--workers", 1, "--full"]
    process = start(repo, *words)
    journal = out / "scan.jsonl"
    deadline = time.monotonic() + 120
    while (not journal.exists() or journal.read_bytes().count(b"\n") < 5) and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = journal.read_bytes().count(b"\n")
    assert 5 <= done < 300
    assert not (out / "report.json").exists()
    assert command(*words)[0] == 0
    assert journal.read_bytes().count(b"\n") <= 301
    assert len(read(out)[1]) == 300


def test_mended_files_are_looked_at_again(command, folder, clips, tmp_path):
    command("--folder", folder, "--out", tmp_path / "out")
    shutil.copy(clips[0], folder / "walk/empty.mp4")
    with open(folder / "walk/empty.mp4", "ab") as file:
        file.write(bytes(9))
    command("--folder", folder, "--out", tmp_path / "out")
    assert read(tmp_path / "out")[1]["empty.mp4"]["status"] == "ok"


@pytest.mark.parametrize(
    "words, told",
    [
        ("--folder {nowhere} --out {out}", "no folder"),
        ("--csv {nowhere}/train.csv --out {out}", "train.csv"),
        ("--cfg nowhere.yaml --out {out}", "nowhere.yaml"),
        ("--cfg configs/Toy/xvit_toy.yaml NUM_GPU 1 --out {out}", "NUM_GPUS"),
        ("--folder {videos} --out {videos}/run/a.mp4", "a file, expected a folder"),
        ("--folder {videos} --out {videos}/run/a.mp4/out", "cannot write"),
    ],
)
def test_refusals(command, repo, monkeypatch, folder, tmp_path, words, told):
    """Exit code 2 and a clear line."""
    names = {"nowhere": tmp_path / "none", "out": tmp_path / "out", "videos": folder}
    monkeypatch.chdir(repo)
    code, _, errors = command(*(word.format(**names) for word in words.split()))
    assert code == 2
    assert told in errors


def test_lists_of_the_user_are_not_written_over(command, clips, tmp_path):
    """--out on the data set's own folder, where train.csv lies."""
    shutil.copy(clips[0], tmp_path / "a.mp4")
    (tmp_path / "train.csv").write_text("a.mp4 0\n")
    code, _, errors = command("--csv", tmp_path / "train.csv", "--out", tmp_path)
    assert code == 2
    assert "choose another folder" in errors
    assert (tmp_path / "train.csv").read_text() == "a.mp4 0\n"
    assert not (tmp_path / "scan.jsonl").exists()


@pytest.mark.parametrize(
    "words",
    [
        "--out o",
        "--folder f",
        "--folder f --csv c --out o",
        "--folder f --out o --workers 0",
        "--folder f --out o --timeout -1",
        "--folder f --out o --root r",
        "--folder f --out o NUM_GPUS 1",
        "--folder f --out o --fulll",
        "--cfg c --out o --reader pyav",
    ],
)
def test_wrong_usage(tool, words):
    with pytest.raises(SystemExit) as ended:
        tool.parse_args(words.split())
    assert ended.value.code == 2


def test_overrides(tool):
    args = tool.parse_args("--cfg a.yaml NUM_GPUS 2 --out o TEST.ENABLE False --full".split())
    assert (args.cfg[0], args.opts, args.full) == ("a.yaml", ["NUM_GPUS", "2", "TEST.ENABLE", "False"], True)
