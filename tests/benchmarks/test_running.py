"""The measurement of what running safely costs: it runs, and a background save is a real one."""

from benchmarks import running


def test_it_prints_its_table(tmp_path, capsys):
    assert running.main(["--gigabytes", "0.02", "--steps", "2", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n| ") == 7 and "in the background" in printed
    assert not list(tmp_path.iterdir())
