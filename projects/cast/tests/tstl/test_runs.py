"""Real runs: both stages, a kill between experts and inside one, two processes, one file, its test and its report."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import torch

from slowfast.weights import read_checkpoint

RUN, IMPORT, REPORT = "tools/run_net.py", "projects/cast/import_experts.py", "projects/cast/tstl_report.py"


def trained(folder):
    """Trained weights of each expert's last checkpoint."""
    states = []
    for expert in sorted(folder.glob("expert_*")):
        checkpoints = expert / "checkpoints"
        states.append(read_checkpoint(checkpoints / (checkpoints / "last").read_text().strip())["model_state"])
    return states


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return tmp_path_factory.mktemp("uninterrupted")


@pytest.fixture
def experts(uninterrupted, finished):
    """Folder of all experts, trained in one process; made once."""
    if not (uninterrupted / "done").exists():
        done = finished(RUN, "tstl_experts", OUTPUT_DIR=uninterrupted)
        assert done.returncode == 0, done.stderr
        (uninterrupted / "done").write_text(done.stdout + done.stderr)
    return uninterrupted


def test_all_experts_in_one_process_over_one_trunk(experts):
    told = (experts / "done").read_text()
    assert sorted(path.name for path in experts.glob("expert_*")) == ["expert_00", "expert_01", "expert_02"]
    assert told.count("CLIP from") == 1 and told.count("the trunk is the one that this process has") == 2
    states = trained(experts)
    assert len(states) == 3 and not torch.equal(states[0]["head.weight"], states[1]["head.weight"])
    assert not any(".attn." in name for state in states for name in state)


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["between", "inside"])
def test_a_kill_costs_nothing(experts, command, repo, tmp_path, moment):
    """SIGKILL when the first expert is done, or inside the second; the same command then ends as if it had not been."""
    words = command(RUN, "tstl_experts", OUTPUT_DIR=tmp_path, TRAIN__CHECKPOINT_PERIOD_ITERS=1)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(repo)}
    signs = {
        "between": lambda: (tmp_path / "expert_01").exists(),
        "inside": lambda: list((tmp_path / "expert_01" / "checkpoints").glob("*_iter_*.pyth")),
    }
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(words, cwd=repo, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 240
        while not signs[moment]() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "expert_02").exists()
    first = tmp_path / "expert_00" / "checkpoints" / "checkpoint_epoch_00001.pyth"
    written = first.stat().st_mtime_ns
    again = subprocess.run(words, cwd=repo, env=environment, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert first.stat().st_mtime_ns == written  # the first expert was not trained again
    for ours, theirs in zip(trained(tmp_path), trained(experts)):
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.faults
def test_two_processes(finished, tmp_path):
    """Each takes P x K clips; with as many micro-batches one process gives the same."""
    shared = {"TSTL__EXPERTS": 1, "TRAIN__BALANCED_BATCH": [2, 2]}
    two = finished(RUN, "tstl_experts", OUTPUT_DIR=tmp_path / "two", NUM_PROCS=2, TRAIN__BATCH_SIZE=8, **shared)
    assert two.returncode == 0, two.stderr
    one = finished(RUN, "tstl_experts", OUTPUT_DIR=tmp_path / "one", SOLVER__ACCUMULATE_STEPS=2, **shared)
    assert one.returncode == 0, one.stderr
    (ours,), (theirs,) = trained(tmp_path / "one"), trained(tmp_path / "two")
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-5)
    refused = finished(RUN, "tstl_experts", OUTPUT_DIR=tmp_path / "no", NUM_PROCS=2, TRAIN__BATCH_SIZE=4, **shared)
    assert refused.returncode == 2 and "TRAIN.BALANCED_BATCH: 2 classes x 2 clips" in refused.stderr


def test_from_both_stages_to_a_report(experts, finished, tmp_path):
    selector = finished(RUN, "tstl_selector", OUTPUT_DIR=tmp_path / "selector", MODEL__NUM_CLASSES=3)
    assert selector.returncode == 0, selector.stderr
    members = ("--selector", str(tmp_path / "selector"), "--experts", str(experts))
    done = finished(IMPORT, "tstl", *members, OUTPUT_DIR=tmp_path)
    assert done.returncode == 0, done.stderr
    weights = tmp_path / "tstl.pyth"
    options = {"TEST__CHECKPOINT_FILE_PATH": weights, "OUTPUT_DIR": tmp_path / "routed", "TSTL__TOPK": 2}
    for ranks in (1, 2):
        tested = finished(RUN, "tstl", **options, NUM_PROCS=ranks)
        assert tested.returncode == 0, tested.stderr
        result = json.loads((tmp_path / "routed" / "test_results.json").read_text())
        assert result["num_videos"] == 24
        scores = np.load(tmp_path / "routed" / "predictions.npz")["scores"]
        if ranks == 1:
            alone, single = scores, result
    np.testing.assert_allclose(scores, alone, atol=1e-5)
    report = finished(REPORT, "tstl", "--single", str(tmp_path / "routed" / "predictions.npz"), **options)
    assert report.returncode == 0, report.stderr
    folder = tmp_path / "routed" / "tstl_report"
    content = json.loads((folder / "report.json").read_text())
    assert content["overall"]["routed"]["2"]["maxlogit"] == pytest.approx(single["top1_acc"], abs=0.01)
    assert content["overall"]["single"] == pytest.approx(single["top1_acc"], abs=0.01)
    assert [row["videos"] for row in content["groups"]] == [8, 8, 8]
    assert {path.name for path in folder.iterdir()} == {
        *("report.json", "report.md", "routing_matrix.png", "features.png")
    }
    assert f"Selector {content['overall']['selector']} %" in (folder / "report.md").read_text()
    wrong = finished(RUN, "tstl", **options, TSTL__VOTE="loudest")
    assert wrong.returncode == 2 and "TSTL.VOTE: got 'loudest'" in wrong.stderr and "Traceback" not in wrong.stderr
