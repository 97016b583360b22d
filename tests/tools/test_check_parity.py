"""tools/check_parity.py: a line a case and the exit code."""

import importlib.util
import json
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def check_parity(repo):
    spec = importlib.util.spec_from_file_location("check_parity", repo / "tools/check_parity.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def good(repo):
    return repo / "tests/parity/data/xvit_avg_a.json"


@pytest.fixture
def altered(good, tmp_path):
    """altered(name, **manifest entries) -> path of a copy of the good case with these entries."""

    def function(name, **entries):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(json.loads(good.read_text()) | entries))
        shutil.copy(good.with_suffix(".safetensors"), path.with_suffix(".safetensors"))
        return path

    return function


@pytest.fixture
def narrow(altered):
    """A case that float32 cannot meet."""
    exact = {"rtol": 0.0, "atol": 0.0}
    return altered("narrow", tolerance={"float32": {"outputs_and_features": exact, "gradients": exact}})


@pytest.mark.parametrize("options", [[], ["--dtype", "float64"], ["--attention", "explicit"], ["--act_checkpoint"]])
def test_a_case_that_passes(check_parity, good, capsys, options):
    assert check_parity.main([str(good), *options]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"PASS {good}")
    assert "worst of 13 tensors" in line
    assert all(option in line for option in options[1:])
    assert ("recomputed" in line) == (options == ["--act_checkpoint"])


def test_a_case_in_every_way(check_parity, good, narrow, capsys):
    assert check_parity.main([str(good), str(narrow), "--all_ways"]) == 1
    lines = capsys.readouterr().out.splitlines()
    ways = {line.split("(")[1].split(")")[0] for line in lines}
    kinds = [f"{dtype}, {attention}" for dtype in ("float32", "float64") for attention in ("sdpa", "explicit")]
    assert ways == {kind + recomputed for kind in kinds for recomputed in ("", ", recomputed")}
    assert [line[:4] for line in lines] == ["PASS"] * 8 + ["MISS"] * 8


def test_a_case_that_misses(check_parity, good, narrow, capsys):
    assert check_parity.main([str(narrow), str(good)]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("MISS") and "outside:" in first
    assert second.startswith("PASS")


def test_an_unknown_system_and_a_missing_file(check_parity, good, narrow, altered, tmp_path, capsys):
    alien = altered("alien", system="Alien", reference_variant="Alien")
    assert check_parity.main([str(alien), str(narrow), str(good), str(tmp_path / "none.json")]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line[:4] for line in lines] == ["BAD ", "MISS", "PASS", "BAD "]
    assert "'Alien'; known: " in lines[0]
    assert "none.json cannot be read" in lines[3]


def test_torn_tensors(check_parity, altered, capsys):
    path = altered("torn")
    tensors = path.with_suffix(".safetensors")
    tensors.write_bytes(tensors.read_bytes()[:1000])
    assert check_parity.main([str(path)]) == 2
    assert "damaged, cut short" in capsys.readouterr().out


def test_the_command_itself(repo, good):
    done = subprocess.run(
        [sys.executable, str(repo / "tools/check_parity.py"), str(good)], capture_output=True, text=True, cwd=repo
    )
    assert (done.returncode, done.stdout[:4]) == (0, "PASS"), done.stderr
