"""The benchmark of a training step: it runs, and the files it compares hold what they should."""

from projects.cast import benchmark
from projects.cast.tests.sizes import small_cast
from slowfast.models.complexity import count_parameters

OPTIONS = ["--size", "small", "--frames", "4", "--crop", "32", "--repeats", "1", "--threads", "1", "--clock", "cpu"]


def test_the_command_prints_its_figures(capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "_peak", lambda way, args: {"sdpa": 3, "explicit": 4}[way] * 2**20)
    assert benchmark.main(OPTIONS) == 0
    out = capsys.readouterr().out
    assert "CAST-S, clip (1, 3, 4, 32, 32), 1 thread(s)" in out and "| 0.75 |" in out


def test_files_of_weights():
    model = small_cast()
    total, trained = count_parameters(model)
    whole, part = benchmark.weights_bytes(model)
    assert whole - part > 4 * (total - trained) and part > 4 * trained
