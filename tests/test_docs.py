"""What the documentation names exists: config keys and files."""

import re
from pathlib import Path

import pytest

from slowfast.config import get_cfg
from slowfast.config.node import has

REPO = Path(__file__).resolve().parents[1]
PAGES = [REPO / "docs/model_zoo.md", REPO / "docs/coming_from.md", REPO / "docs/multigrid.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_keys_and_files_exist(page):
    text = page.read_text()
    keys = set(re.findall(r"\b[A-Z][A-Z0-9_]+(?:\.[A-Z][A-Z0-9_]+)+\b", text))
    assert keys and not [key for key in keys if not has(get_cfg(), key)]
    files = set(re.findall(r"(?<![\w/])(?:configs|tools|projects|benchmarks)/[\w/]+\.(?:yaml|py)\b", text))
    assert not [file for file in files if not (REPO / file).is_file()]
