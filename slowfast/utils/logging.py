"""Where messages go: the terminal and OUTPUT_DIR/stdout.log, from the main process alone."""

import contextlib
import logging
import sys
import threading
from pathlib import Path

from tqdm import tqdm

from slowfast.utils.errors import UserError

LOGGER_NAME = "slowfast"


class _TerminalHandler(logging.Handler):
    """Writes above a progress bar instead of through it."""

    def emit(self, record):
        try:
            tqdm.write(self.format(record), file=sys.stdout)
        except (OSError, ValueError):
            self.handleError(record)


class _Backlog(logging.Handler):
    """Keeps what is said before the log file is known, e.g. while the configuration is read."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


class _FileHandler(logging.FileHandler):
    """Goes on without the file where it cannot be written any more, and says so once."""

    complained = False

    def handleError(self, record):
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.complained:
            self.complained = True
            print(f"cannot write {self.baseFilename}: {error.strerror}; messages come here alone", file=sys.stderr)

    def close(self):
        with contextlib.suppress(OSError):  # told of
            super().close()


def get_logger():
    return logging.getLogger(LOGGER_NAME)


def setup_logging(output_dir=None, *, quiet=False):
    """Send messages to the terminal and, with `output_dir`, append them to its stdout.log.

    Args:
        output_dir: folder, made if missing; its log also gets what was said before. None: terminal only.
        quiet: only warnings and worse reach the terminal (processes other than the main one).
    """
    tqdm.set_lock(threading.RLock())  # its own is of the system, which tells of it after a kill; one process draws
    logger = get_logger()
    logger.setLevel(logging.INFO)
    logger.propagate = False
    backlog = _Backlog()
    for handler in list(logger.handlers):
        backlog.records += getattr(handler, "records", [])
        logger.removeHandler(handler)
        handler.close()
    terminal = _TerminalHandler(logging.WARNING if quiet else logging.INFO)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(terminal)
    if output_dir is not None:
        file = _open_log(Path(output_dir))
        logger.addHandler(file)
        for record in backlog.records:
            file.handle(record)
    elif not quiet:
        logger.addHandler(backlog)


def _open_log(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _FileHandler(folder / "stdout.log")
    except OSError as error:
        raise UserError(f"OUTPUT_DIR: cannot write to {folder}: {error.strerror}; choose another folder") from None
    file.setFormatter(logging.Formatter("[%(asctime)s][%(levelname)s] %(message)s", datefmt="%m/%d %H:%M:%S"))
    return file
