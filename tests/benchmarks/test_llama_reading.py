"""The measurement of reading a layer: it runs, and reading takes about what the layer takes."""

import sys

import pytest

from benchmarks import llama_reading


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RssAnon is Linux's")
def test_it_prints_its_table(tmp_path, capsys):
    assert llama_reading.main(["--dim", "1024", "--keep", str(tmp_path)]) == 0
    rows = [line.split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[2].strip() for row in rows] == ["fp32", "bf16", "int8"] * 2
    assert [row[3].strip() for row in rows] == ["48", "24", "12"] * 2
    assert all(1.0 <= float(row[7]) <= 1.7 for row in rows)  # at the end; some MiB more, whatever the size
