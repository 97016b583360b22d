"""The comparison of readers: it runs, and all contenders are there that are installed."""

import json

from benchmarks import data


def test_it_writes_its_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "LENGTH", 80)
    monkeypatch.setattr(data, "KEY_FRAMES", (12,))
    assert data.main(["--clips", "2", "--out", str(tmp_path / "figures.json")]) == 0
    videos, pack = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert {"ours", "full decode"} <= set(videos["ms"]) and set(pack["ms"]) == {"hdf5", "full decode", "pillow"}
    assert all(value > 0 for row in (videos, pack) for value in [*row["ms"].values(), *row["ratios"].values()])
