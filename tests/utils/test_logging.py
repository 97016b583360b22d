"""What reaches the log file."""

import logging
import os

import pytest

from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger, setup_logging


@pytest.fixture(autouse=True)
def terminal_only(tmp_path_factory):
    """Nothing that other tests said waits for a file, before and after."""
    setup_logging(tmp_path_factory.mktemp("others"))
    yield
    setup_logging(tmp_path_factory.mktemp("own"))
    setup_logging()


def _messages(folder):
    return [line.split("] ", 1)[1] for line in (folder / "stdout.log").read_text().splitlines()]


def test_what_was_said_before_the_file_is_known_stands_in_it_once(tmp_path):
    setup_logging()
    get_logger().warning("a key without effect")
    setup_logging(tmp_path)
    get_logger().info("training")
    setup_logging(tmp_path)
    get_logger().info("testing")
    assert _messages(tmp_path) == ["a key without effect", "training", "testing"]


def test_other_processes_say_warnings_alone_and_write_nothing(tmp_path, capsys):
    setup_logging(quiet=True)
    get_logger().info("step 1")
    get_logger().warning("unreadable")
    setup_logging(tmp_path)
    assert capsys.readouterr().out == "unreadable\n"
    assert (tmp_path / "stdout.log").read_text() == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_told_of_once(tmp_path, capsys):
    setup_logging(tmp_path)
    file = next(handler for handler in get_logger().handlers if isinstance(handler, logging.FileHandler))
    file.stream = open("/dev/full", "w")
    for step in range(3):
        get_logger().info(f"step {step}")
    said = capsys.readouterr()
    assert said.out == "step 0\nstep 1\nstep 2\n"
    assert said.err == f"cannot write {tmp_path}/stdout.log: No space left on device; messages come here alone\n"


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"OUTPUT_DIR: cannot write to .*file/run"):
        setup_logging(tmp_path / "file" / "run")
