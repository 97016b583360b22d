"""Fixtures of the configuration's tests."""

import json
import logging
import math
import textwrap

import pytest


@pytest.fixture(autouse=True)
def warnings_reach_caplog(monkeypatch):
    """A job that ran earlier in this process may have taken the logger for itself."""
    monkeypatch.setattr(logging.getLogger("slowfast"), "propagate", True)


@pytest.fixture
def write(tmp_path):
    """write(text, name="cfg.yaml") -> path of a file that holds the dedented text."""

    def function(text, name="cfg.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return function


@pytest.fixture
def reference_defaults(reference_dir):
    """reference_defaults(file, *fields) -> {key: default of the public code}, evaluated from its literal."""

    def function(file, field):
        keys = json.loads((reference_dir / "parity" / "slowfast" / file).read_text())[field]
        infinities = {"inf": math.inf, "__builtins__": {}}
        return {key: eval(entry["repr"], infinities) for key, entry in keys.items()}

    return function
