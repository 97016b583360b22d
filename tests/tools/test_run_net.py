"""The front door's command line: what is a file, what is an override, how errors end."""

import importlib.util
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def run_net(repo):
    spec = importlib.util.spec_from_file_location("run_net", repo / "tools/run_net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "words, files, opts",
    [
        ("--cfg a.yaml", ["a.yaml"], []),
        ("--cfg a.yaml b/c.yaml", ["a.yaml", "b/c.yaml"], []),
        ("--cfg a.yaml NUM_GPUS 2", ["a.yaml"], ["NUM_GPUS", "2"]),
        ("--cfg a.yaml b.yaml --opts NUM_GPUS 2", ["a.yaml", "b.yaml"], ["NUM_GPUS", "2"]),
        ("--cfg a.yaml OUTPUT_DIR out/run.yaml", ["a.yaml"], ["OUTPUT_DIR", "out/run.yaml"]),
        ("--cfg a.yaml --dry_run NUM_GPUS 2", ["a.yaml"], ["NUM_GPUS", "2"]),
        ("NUM_GPUS 2 --cfg a.yaml", ["a.yaml"], ["NUM_GPUS", "2"]),
        ("--cfg a.yaml NUM_GPUS 2 --num_shards 3 RNG_SEED 4", ["a.yaml"], ["NUM_GPUS", "2", "RNG_SEED", "4"]),
        ("--cfg a.yaml TENSORBOARD.LOG_DIR -1.5", ["a.yaml"], ["TENSORBOARD.LOG_DIR", "-1.5"]),
        ("--cfg a.yaml NUM_GPUS", ["a.yaml"], ["NUM_GPUS"]),
    ],
)
def test_files_and_overrides(run_net, words, files, opts):
    args = run_net.parse_args(words.split())
    assert (args.cfg, args.opts) == (files, opts)


def test_launcher_arguments(run_net):
    args = run_net.parse_args("--cfg a.yaml --num_shards 4 --shard_id 2 --init_method tcp://host:1".split())
    assert (args.num_shards, args.shard_id, args.init_method) == (4, 2, "tcp://host:1")


@pytest.mark.parametrize("words", ["", "--cfg", "--cfg a.yaml --dryrun"])
def test_wrong_usage_ends_with_2(run_net, words):
    with pytest.raises(SystemExit) as ended:
        run_net.parse_args(words.split())
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "words, told",
    [
        ("--cfg nowhere.yaml", ["nowhere.yaml"]),
        ("--cfg configs/Toy/xvit_toy.yaml NUM_GPU 2 SOLVER.BASE_LR fast", ["NUM_GPUS", "SOLVER.BASE_LR", "'fast'"]),
        ("--cfg configs/Toy/xvit_toy.yaml NUM_GPUS", ["NUM_GPUS"]),
        ("--cfg configs/Toy/xvit_toy.yaml DATA.PATH_TO_DATA_DIR nowhere", ["DATA.PATH_TO_DATA_DIR", "nowhere"]),
        ("--cfg configs/Toy/xvit_toy.yaml MODEL.MODEL_NAME XVit", ["MODEL.MODEL_NAME", "XVit", "XViT"]),
        ("--cfg configs/Toy/xvit_toy.yaml TRAIN.DATASET kinetix", ["kinetix", "Kinetics"]),
        (
            "--cfg configs/Toy/xvit_toy.yaml TRAIN.ENABLE False",
            ["TEST.CHECKPOINT_FILE_PATH", "TEST.ALLOW_RANDOM_WEIGHTS"],
        ),
        (
            "--cfg configs/Toy/xvit_toy.yaml TRAIN.ENABLE False TEST.ENABLE False",
            ["nothing to do", "TRAIN.ENABLE", "BENCHMARK.ENABLE"],
        ),
        ("--cfg configs/Toy/xvit_toy.yaml PROJECTS ['no.such']", ["PROJECTS", "no.such"]),
    ],
)
def test_refusals(repo, small_set, tmp_path, words, told):
    """Exit code 2, the key named, no traceback, nothing trained."""
    data = [] if "PATH_TO_DATA_DIR" in words else ["DATA.PATH_TO_DATA_DIR", str(small_set)]
    words = [*words.split(), "OUTPUT_DIR", str(tmp_path)] if words.split()[-1] != "NUM_GPUS" else words.split()
    command = [sys.executable, "tools/run_net.py", *words[:2], *data, *words[2:]]
    ended = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    for part in told:
        assert part in ended.stderr
    assert not (tmp_path / "checkpoints").exists()
