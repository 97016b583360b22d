"""The words of an sbatch call, checks before it, and that every documented command line passes them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast.slurm.scheduler import Partition
from slowfast.slurm.submission import Request, plan
from slowfast.utils.errors import ConfigError, UserError
from tests.conftest import REPO

TOY = "configs/Toy/xvit_toy.yaml"
PARTITIONS = {
    "cpu": Partition("cpu", True, 4, 8, 0, None),
    "gpu": Partition("gpu", False, 16, 64, 8, 86400),
}


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(REPO)


def options_of(submission):
    """Option -> value of the words before the batch script."""
    words = submission.words[: next(n for n, word in enumerate(submission.words) if word.endswith("train.sbatch"))]
    return dict(word.lstrip("-").partition("=")[::2] for word in words)


def test_a_recipe_of_two_nodes():
    """CAST: 2 x 8 GPUs, 6 clips each, 4 micro-steps."""
    cfg = "projects/cast/configs/cast_b16_epic100.yaml"
    planned = plan(Request(cfg, nodes=2, gpus_per_node=8, time="1-0", partition="gpu"), PARTITIONS)
    options = options_of(planned)
    wanted = {"nodes": "2", "ntasks-per-node": "8", "gres": "gpu:8", "time": "1-0", "partition": "gpu"}
    assert options.items() >= wanted.items()
    assert options["cpus-per-task"] == "8"  # 64 cores for 8 tasks: one less than a task and its 8 workers would take
    assert options["signal"] == "B:USR1@150" and {"requeue", "open-mode"} <= options.keys()
    assert "384 clips a step" in planned.summary and "--array" not in " ".join(planned.words)
    assert planned.words[-4:] == ["--num_shards", "2", "NUM_GPUS", "8"]
    folder = REPO / "outputs/cast_b16_epic100"
    assert planned.log_of(12) == f"{folder}/slurm/12.out" and planned.folder == folder


def test_cpu_nodes():
    planned = plan(Request(TOY, ("NUM_PROCS", "2"), nodes=2, gpus_per_node=0, time="1"), PARTITIONS)
    options = options_of(planned)
    assert (options["ntasks-per-node"], options["cpus-per-task"], options["signal"]) == ("2", "3", "B:USR1@10")
    assert "gres" not in options and "partition" not in options
    assert "2 node(s) x 2 CPU process(es), 32 clips a step" in planned.summary


def test_a_sweep(tmp_path):
    (tmp_path / "sweep.yaml").write_text("RNG_SEED: [1, 2, 3]\n")
    planned = plan(Request(TOY, ("OUTPUT_DIR", str(tmp_path)), gpus_per_node=0, array=str(tmp_path / "sweep.yaml")))
    assert options_of(planned)["array"] == "0-2" and planned.log_of(5) == f"{tmp_path}/slurm/5_N.out"
    folder = planned.words[planned.words.index("--runs") + 1]
    words = planned.files[Path(folder) / "2"].splitlines()
    assert words == ["RNG_SEED", "3", "OUTPUT_DIR", f"{tmp_path}/02_RNG_SEED=3"]
    assert not list(tmp_path.glob("slurm*"))  # only `submit` writes


@pytest.mark.parametrize(
    "request_of, told",
    [
        ({"partition": "gpus"}, "--partition gpus: this cluster has cpu, gpu"),
        ({"nodes": 5}, "--nodes 5: partition cpu has 4"),
        ({"gpus_per_node": 1}, "--gpus_per_node 1: partition cpu has nodes with 0 GPU"),
        ({"partition": "gpu", "time": "2-0"}, "--time 2-0: partition gpu allows 1440 minutes"),
        ({"time": "soon"}, "--time soon: expected minutes"),
        ({"gpus_per_node": 3, "partition": "gpu"}, "TRAIN.BATCH_SIZE: 16 clips cannot be shared equally by NUM_GPUS 3"),
        ({"opts": ("RNG_SED", "1")}, "RNG_SEED"),
    ],
)
def test_refused(request_of, told):
    with pytest.raises((ConfigError, UserError), match=re.escape(told)):
        plan(Request(TOY, **{"gpus_per_node": 0} | request_of), PARTITIONS)


def submit(*words, **environment):
    command = [sys.executable, "tools/slurm/submit.py", *words]
    environment = os.environ | {"PYTHONPATH": str(REPO)} | environment
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.parametrize(
    "words, told",
    [
        (f"--cfg {TOY}", "sinfo is not on PATH"),
        ("--status 12", "scontrol is not on PATH"),
        (f"--cfg {TOY} --dry_run RNG_SED 1", "RNG_SEED"),
        ("--cfg none.yaml --dry_run", "none.yaml"),
        (f"--cfg {TOY} --dry_run --array none.yaml", "none.yaml: cannot be read"),
        (f"--cfg {TOY} --node 2", "unknown option --node"),
        (f"--cfg {TOY} --nodes 0", "--nodes must be 1 or more"),
        ("--status 12 RNG_SEED 1", "KEY VALUE pairs go with --cfg"),
        ("", "required"),
    ],
)
def test_exit_code_2(words, told, tmp_path):
    done = submit(*words.split(), PATH=str(tmp_path))
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_dry_run_needs_no_slurm(tmp_path):
    done = submit("--cfg", TOY, "--dry_run", "OUTPUT_DIR", f"{tmp_path}/new", PATH=str(tmp_path))
    assert done.returncode == 0 and "sbatch --job-name=xvit_toy" in done.stdout, done.stderr
    assert not (tmp_path / "new").exists()


def documented_lines():
    """Every recipe's command line of submit.py in documentation and YAML headers, without its line breaks."""
    pages = [REPO / "README.md", *REPO.glob("docs/*.md"), *REPO.glob("projects/*/*.md")]
    pages += [*REPO.glob("configs/*/*.yaml"), *REPO.glob("projects/*/configs/*.yaml")]
    for page in pages:
        text = re.sub(r"\\\n#?\s*", "", page.read_text())
        text = re.sub(r"`python [^`]*`", lambda code: code[0].replace("\n", " "), text)  # within a paragraph
        for line in re.findall(r"python tools/slurm/submit.py (--cfg (?!FILE)[^\n`]*)", text):
            yield pytest.param(line, id=f"{page.relative_to(REPO)}: {line[:60]}")


@pytest.mark.parametrize("line", list(documented_lines()))
def test_documented_lines(line):
    """They load; of a sweep only the file has to be there."""
    sys.path.insert(0, str(REPO / "tools/slurm"))
    try:
        from submit import parse_args
    finally:
        sys.path.pop(0)
    args = parse_args(shlex.split(line.removesuffix(" ...")))
    planned = plan(Request(args.cfg, tuple(args.opts), args.nodes, args.gpus_per_node, args.time, array=args.array))
    assert planned.summary.startswith(f"{args.nodes} node(s)") or planned.runs
