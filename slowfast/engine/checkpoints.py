"""Checkpoints of a run: named by position, written whole, pruned; and where a run starts from."""

import re
from pathlib import Path

import torch

from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write, atomic_write_text
from slowfast.utils.logging import get_logger
from slowfast.weights import fetch, load_pretrained, read_checkpoint, start, state_dict_of

NAME = re.compile(r"checkpoint_epoch_(\d{5})(?:_iter_(\d{8}))?\.pyth")


class Checkpointer:
    """OUTPUT_DIR/checkpoints: the last K checkpoints, best.pyth, and `last`, a text file with the newest one's name.

    `checkpoint_epoch_00002.pyth` was written after two epochs, `checkpoint_epoch_00002_iter_00000250.pyth` in the
    third one, after 250 optimizer steps in all.

    Args:
        cfg: its OUTPUT_DIR, CHECKPOINT.KEEP_LAST (0: keep all) are used; its text is stored in each checkpoint.
    """

    def __init__(self, cfg):
        self.folder = Path(cfg.OUTPUT_DIR) / "checkpoints"
        self.keep_last = cfg.CHECKPOINT.KEEP_LAST
        self.cfg_text = cfg.dump()

    def save(self, state, *, epoch_done=False):
        """Write the state under its position's name, then point `last` to it, then remove what is too old.

        Args:
            epoch_done: all steps of the running epoch are done but not its validation: resuming starts with that.
        """
        name = f"checkpoint_epoch_{state.epoch + epoch_done:05d}"
        if state.step_in_epoch and not epoch_done:
            name += f"_iter_{state.step:08d}"
        self._write(state, f"{name}.pyth")
        if distributed.is_main():
            atomic_write_text(self.folder / "last", f"{name}.pyth\n")
            self._prune()

    def save_best(self, state):
        self._write(state, "best.pyth")

    def _write(self, state, name):
        if not distributed.is_main():
            return
        payload = state.state_dict() | {"cfg": self.cfg_text}
        try:
            atomic_write(self.folder / name, lambda file: torch.save(payload, file))
        except OSError as error:
            raise UserError(f"cannot write {self.folder / name}: {error}. Free space or change OUTPUT_DIR") from None

    def _prune(self):
        if self.keep_last > 0:
            for path in self.all()[: -self.keep_last]:
                path.unlink()

    def all(self):
        """Paths of the periodic checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        found = [(NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        return [path for match, path in sorted((_position(m), p) for m, p in found if m)]

    def last(self):
        """Path of the newest checkpoint: the one that `last` names, else the furthest one; None without any."""
        pointer = self.folder / "last"
        if pointer.is_file():
            path = self.folder / pointer.read_text().strip()
            if path.is_file():
                return path
        return next(reversed(self.all()), None)


def _position(match):
    """Sorts by finished epochs, then steps; the end of an epoch comes before steps of the next one."""
    return int(match[1]), int(match[2] or 0)


def epochs_done(content):
    """Epochs that were finished when a checkpoint of this content was written; None if it does not say."""
    index = content.get("epoch")  # of the last finished epoch, as PySlowFast counts
    return index + 1 if isinstance(index, int) else None


def fetch_weights(location, cfg, sha256):
    """Local path of a checkpoint that a key names by path or URL; downloads are kept in WEIGHTS.CACHE_DIR.

    Raises: UserError: there is no such file, or its SHA-256 is another one.
    """
    return fetch(location, sha256=sha256, cache_dir=cfg.WEIGHTS.CACHE_DIR)


def initialise(state, cfg, checkpoints):
    """Bring a fresh state to where training starts.

    With TRAIN.AUTO_RESUME the run's own last checkpoint; else, or without one, TRAIN.CHECKPOINT_FILE_PATH: as a whole
    where it is a checkpoint of this trainer and TRAIN.CHECKPOINT_EPOCH_RESET is off, its weights alone otherwise;
    without either, what the model's class starts from (`weights.start`), or random weights.

    Raises: UserError naming the file where it cannot be used, or gives less than WEIGHTS.MIN_MATCHED of the backbone.
    """
    path = checkpoints.last() if cfg.TRAIN.AUTO_RESUME else None
    if path is not None:
        resume(state, path)
    elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
        path = fetch_weights(cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg, cfg.WEIGHTS.TRAIN_SHA256)
        content = read_checkpoint(path)
        if not cfg.TRAIN.CHECKPOINT_EPOCH_RESET and "train_state" in content:
            resume(state, path)
        else:
            report = load_pretrained(state.model, state_dict_of(content, path))
            if state.average is not None:
                state.average.restart(state.model)
            get_logger().info(f"starting from the weights of {path}\n{report.table()}")
            report.require(cfg.WEIGHTS.MIN_MATCHED, path)
    else:
        for text in start(state.model, cfg):
            get_logger().info(text)
        if state.average is not None:
            state.average.restart(state.model)


def resume(state, path):
    """Take over the whole state of a checkpoint.

    Raises: UserError where the file is not of this trainer, of another model, or was saved inside an epoch of another
        effective batch size.
    """
    payload = read_checkpoint(path)
    if "train_state" not in payload:
        raise UserError(
            f"{path} is not a checkpoint of this trainer. Name it in TRAIN.CHECKPOINT_FILE_PATH to start from its "
            "weights, and give the run another OUTPUT_DIR"
        )
    stored = payload["train_state"]
    if stored["step_in_epoch"] and stored["effective_batch"] != state.effective_batch:
        raise UserError(
            f"{path} was saved inside an epoch with {stored['effective_batch']} clips an optimizer step, now it is "
            f"{state.effective_batch}. Keep TRAIN.BATCH_SIZE x NUM_SHARDS x SOLVER.ACCUMULATE_STEPS, or start anew "
            "from its weights with TRAIN.CHECKPOINT_FILE_PATH, TRAIN.CHECKPOINT_EPOCH_RESET True and another OUTPUT_DIR"
        )
    try:
        state.load_state_dict(payload)
    except (RuntimeError, KeyError, ValueError) as error:
        raise UserError(
            f"{path} does not fit this configuration: {error}. Give the run another OUTPUT_DIR, or set "
            "TRAIN.AUTO_RESUME False"
        ) from None
    get_logger().info(f"resumed from {path} after {state.step} steps, {state.epoch} whole epochs")
