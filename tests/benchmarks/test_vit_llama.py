"""The measurement of ViT-LLaMA's training step: it runs, and compact frozen layers take less memory."""

import sys

import pytest

from benchmarks import vit_llama

OPTIONS = "--size small --frames 4 --crop 32 --dim 1024 --repeats 1 --threads 1".split()


def test_it_prints_its_table(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr(
        vit_llama, "measure_apart", lambda *way: asked.append(way[:2]) or {"sdpa": (3, 30), "explicit": (4, 40)}[way[1]]
    )
    assert vit_llama.main(OPTIONS) == 0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[4:]]
    sizes = {"fp32": "48", "bf16": "24", "int8": "14"}
    assert rows == [[name, size, "3.00", "4.00", "0.75", "30", "40", "0.75"] for name, size in sizes.items()]
    assert len(set(asked)) == 6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a new peak can be started on Linux alone")
def test_the_peak_holds_weights_and_gradients():
    """22 M vision parameters of 4 bytes and their gradients, and 12.6 M frozen ones of 1."""
    seconds, peak = vit_llama.measure_apart("int8", "sdpa", vit_llama.parse_args(OPTIONS))
    assert seconds > 0 and 2 * 88 / 1.05 + 12 < peak < 350
