"""tools/tune_loader.py from its command line: trials, stages, what bounds the loader, lines for the YAML."""

from slowfast.config import load_cfg
from tools import tune_loader


def test_what_it_prints(repo, tiny_options, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tune_loader.distributed, "available_cores", lambda: 1)
    words = [str(word) for pair in tiny_options.items() for word in pair]
    assert tune_loader.main(["--cfg", str(repo / "configs/Toy/xvit_toy.yaml"), "--seconds", "0.05", *words]) == 0
    out = capsys.readouterr().out
    for part in ("reader auto, 0 worker(s)", "reader auto, 1 worker(s)", "clips/s", "loader: copy", "ms a clip"):
        assert part in out
    lines = out[out.index("DATA:") :]
    path = tmp_path / "loader.yaml"
    path.write_text(lines)
    assert load_cfg(path).DATA_LOADER.NUM_WORKERS == 1  # what it proposes can be put into a YAML
    assert not (tmp_path / "run").exists()
