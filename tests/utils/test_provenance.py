"""Commit and versions, in checkouts made for the purpose."""

import platform
import shutil
import subprocess

import pytest
import torch

from slowfast.utils.provenance import code_version, versions


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder `package` in a fresh checkout with one commit."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set where a git hook runs the tests
        monkeypatch.delenv(name, raising=False)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return package


def head(folder):
    return subprocess.check_output(["git", "-C", folder, "rev-parse", "HEAD"], text=True).strip()


def test_clean_checkout(checkout):
    assert code_version(checkout) == {"commit": head(checkout), "dirty": False}


def test_changed_and_new_code_is_dirty_and_other_new_files_are_not(checkout):
    (checkout.parent / "notes.txt").write_text("not code")
    assert code_version(checkout)["dirty"] is False
    (checkout.parent / "new.py").write_text("")
    assert code_version(checkout)["dirty"] is True
    (checkout.parent / "new.py").unlink()
    (checkout / "__init__.py").write_text("changed = True")
    assert code_version(checkout)["dirty"] is True


def test_copy_inside_another_checkout_is_not_taken_for_it(checkout):
    installed = checkout.parent / ".venv" / "package"
    shutil.copytree(checkout, installed)
    assert code_version(installed) is None


def test_no_checkout_and_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "package").mkdir()
    assert code_version(tmp_path / "package") is None
    monkeypatch.setenv("PATH", "")
    assert code_version() is None


def test_versions():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert set(found) == {"python", "slowfast", "torch", "torchvision", "av", "numpy", "platform"}
