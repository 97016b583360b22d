"""Which runs a sweep file stands for, and what is refused."""

import pytest

from slowfast.slurm.sweep import read_sweep, sweep_words
from slowfast.utils.errors import ConfigError, UserError

CONFIG = "configs/Toy/xvit_toy.yaml"


@pytest.fixture
def sweep(tmp_path):
    def write(text):
        (tmp_path / "sweep.yaml").write_text(text)
        return tmp_path / "sweep.yaml"

    return write


def test_all_combinations(sweep, repo, monkeypatch):
    monkeypatch.chdir(repo)
    runs = sweep_words(sweep("SOLVER.BASE_LR: [0.1, 1e-3]\nRNG_SEED: [1, 2, 3]\n"), CONFIG, ["LOG_PERIOD", "7"], "out")
    assert [(cfg.SOLVER.BASE_LR, cfg.RNG_SEED) for _, cfg in runs] == [(lr, s) for lr in (0.1, 1e-3) for s in (1, 2, 3)]
    assert {cfg.LOG_PERIOD for _, cfg in runs} == {7}
    words = ["SOLVER.BASE_LR", "0.1", "RNG_SEED", "2", "OUTPUT_DIR", "out/01_BASE_LR=0.1_RNG_SEED=2"]
    assert runs[1][0] == words
    assert len({cfg.OUTPUT_DIR for _, cfg in runs}) == 6


def test_one_by_one(sweep, repo, monkeypatch):
    monkeypatch.chdir(repo)
    text = "- {RNG_SEED: 1, XVIT.LOCATIONS_LIST: [0, 1]}\n- {XVIT.CONSENSUS_TYPE: avg, OUTPUT_DIR: mine}\n"
    runs = sweep_words(sweep(text), CONFIG, [], "out")
    assert runs[0][1].XVIT.LOCATIONS_LIST == [0, 1]
    assert (runs[1][1].XVIT.CONSENSUS_TYPE, runs[1][1].OUTPUT_DIR) == ("avg", "mine")


@pytest.mark.parametrize(
    "text, told",
    [
        ("RNG_SED: [1, 2]", ["run 0", "run 1", "RNG_SED", "RNG_SEED"]),
        ("RNG_SEED: [1, two]", ["run 1", "RNG_SEED", "two"]),
        ("RNG_SEED: 1", ["RNG_SEED", "expected a list of values"]),
        ("- RNG_SEED", ["expected KEY: [values]"]),
        ("", ["expected KEY: [values]"]),
        ("RNG_SEED: [1", ["is no YAML"]),
        ("NUM_SHARDS: [1, 2]", ["NUM_SHARDS", "is the same for all runs"]),
        ("- {OUTPUT_DIR: one}\n- {OUTPUT_DIR: one}", ["several runs would write to OUTPUT_DIR one"]),
    ],
)
def test_refused(sweep, repo, monkeypatch, text, told):
    monkeypatch.chdir(repo)
    path = sweep(text)
    with pytest.raises(UserError) as refused:
        sweep_words(path, CONFIG, [], "out")
    assert f"--array {path}" in str(refused.value)
    for part in told:
        assert part in str(refused.value)


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match=r"none.yaml: cannot be read: No such file"):
        read_sweep(tmp_path / "none.yaml")


def test_all_problems_at_once(sweep, repo, monkeypatch):
    monkeypatch.chdir(repo)
    with pytest.raises(ConfigError) as refused:
        sweep_words(sweep("- {RNG_SEED: x}\n- {LOG_PERIOD: y}"), CONFIG, [], "out")
    assert len(refused.value.problems) == 2
