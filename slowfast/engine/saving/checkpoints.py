"""Checkpoints of a run: named by position, written whole, pruned, resumed from."""

import os
import re
import shutil
import zipfile
from functools import partial
from pathlib import Path

import torch

from slowfast.engine.processes import watchdog
from slowfast.engine.saving.background import BackgroundWriter
from slowfast.engine.saving.state import TrainState
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.io import atomic_write, atomic_write_text
from slowfast.utils.logging import get_logger
from slowfast.weights import (
    complete,
    frozen_digest,
    read_checkpoint,
    source_of,
    without_frozen,
)
from slowfast.weights.shards import find_shard_damage, is_in_shards, remove_unused

NAME = re.compile(r"checkpoint_epoch_(\d{5})(?:_iter_(\d{8}))?\.pyth")
SET_ASIDE = ".damaged"  # put behind the name of a file that cannot be resumed from


class Checkpointer:
    """OUTPUT_DIR/checkpoints: the last K checkpoints, best.pyth, and `last`, a text file with the newest one's name.

    `checkpoint_epoch_00002.pyth` was written after two epochs, `checkpoint_epoch_00002_iter_00000250.pyth` in the
    third one, after 250 optimizer steps in all. At no moment is there no good one: a file is written whole before
    `last` names it, and only then are older ones removed.

    Args:
        cfg: its OUTPUT_DIR and CHECKPOINT.{KEEP_LAST (0: keep all), ON_SAVE_ERROR, ASYNC, TRAINABLE_ONLY} are used; its
            text is stored in each checkpoint.
    """

    def __init__(self, cfg):
        self.folder = Path(cfg.OUTPUT_DIR) / "checkpoints"
        self.keep_last = cfg.CHECKPOINT.KEEP_LAST
        self.goes_on = cfg.CHECKPOINT.ON_SAVE_ERROR == "warn"
        self.trainable_only = cfg.CHECKPOINT.TRAINABLE_ONLY
        self.frozen = None  # SHA-256 of the frozen weights, once it was needed; they do not change
        self.cfg_text = cfg.dump()
        self.background = BackgroundWriter() if cfg.CHECKPOINT.ASYNC else None
        self.saved_step = None  # optimizer steps of the newest state that `save` has brought to disk

    def save(self, state, *, epoch_done=False, best=False):
        """Write the state under its position's name, then point `last` to it, then remove what is too old.

        Args:
            epoch_done: all steps of the running epoch are done but not its validation: resuming starts with that.
            best: it is also best.pyth.
        Raises: UserError naming the file that cannot be written, unless CHECKPOINT.ON_SAVE_ERROR is "warn". With
            CHECKPOINT.ASYNC the next call, `check` or `finish` raises it.
        """
        name = f"checkpoint_epoch_{state.epoch + epoch_done:05d}"
        if state.step_in_epoch and not epoch_done:
            name += f"_iter_{state.step:08d}"
        self._hand_over(state, partial(self._write, f"{name}.pyth", best=best, step=state.step))

    def save_best(self, state):
        """Write the state as best.pyth alone."""
        self._hand_over(state, partial(self._write, "best.pyth"))

    def check(self):
        """Raises, or warns of, what went wrong with a background write that has ended."""
        if self.background is not None and not self.background.busy():
            self._guarded(self.background.wait)

    def finish(self):
        """Wait for a background write; raises or warns as `check`."""
        if self.background is not None:
            self._guarded(self.background.wait)

    def holds(self, state):
        """Whether `save` has brought this very state to disk."""
        return self.saved_step == state.step

    def _takes_part(self):
        """Whether this process writes anything."""
        return distributed.is_main()

    def _hand_over(self, state, write):
        if not self._takes_part():
            return
        watchdog.beat("saving")
        self.finish()
        payload = state.state_dict() | {"cfg": self.cfg_text}
        if self.trainable_only or source_of(state.model):
            self.frozen = self.frozen or frozen_digest(state.model)
            payload = without_frozen(payload, state.model, self.frozen)
        if self.background is None:
            self._guarded(lambda: write(payload))
        else:
            self.background.submit(payload, write)

    def _guarded(self, write):
        try:
            write()
        except UserError as error:
            if not self.goes_on:
                raise
            get_logger().error(f"{error}. Going on without (CHECKPOINT.ON_SAVE_ERROR warn)")

    def _write(self, name, payload, *, best=False, step=None):
        """Args: step: optimizer steps of a periodic checkpoint; None: it is best.pyth alone."""
        path = self.folder / name
        try:
            atomic_write(path, lambda file: torch.save(payload, file))
            if step is not None:
                path = self.folder / "last"
                atomic_write_text(path, f"{name}\n")
                self.saved_step = step
                self._prune(name)
            if best:
                path = self.folder / "best.pyth"
                _link(self.folder / name, path)
        except (OSError, RuntimeError) as error:
            cause = os_error(error)
            if cause is None:
                raise
            raise UserError(
                f"cannot write {path}: {cause.strerror}. The checkpoints before it stay as they are. Free space or "
                "change OUTPUT_DIR"
            ) from None

    def _prune(self, newest):
        if self.keep_last > 0:
            others = [path for path in self.all() if path.name != newest]
            for path in others[: max(0, len(others) - self.keep_last + 1)]:
                path.unlink()
        remove_unused(self.folder)

    def clear_temporaries(self):
        """Remove the unfinished files of a run that was killed while it saved."""
        for pattern in (".checkpoint_epoch_*", ".best.pyth.*", ".last.*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)
        remove_unused(self.folder)

    def all(self):
        """Paths of the periodic checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        found = [(NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
        return [path for match, path in sorted((_position(m), p) for m, p in found if m)]

    def newest_first(self):
        """Paths of the periodic checkpoints: the one that `last` names, then the others from the furthest one back."""
        pointer = self.folder / "last"
        paths = self.all()[::-1]
        named = self.folder / pointer.read_text(errors="replace").strip() if pointer.is_file() else None
        return sorted(paths, key=lambda path: path != named)

    def last(self):
        """Path of the newest checkpoint, whatever it holds; None without any."""
        return next(iter(self.newest_first()), None)

    def last_good(self):
        """Path of the newest checkpoint that can be resumed from; None without any. In all processes the same.

        Those that are newer but damaged or foreign are renamed, told of, and no longer counted.

        Raises: UserError: there are checkpoints, and none is good.
        """
        return distributed.broadcast_object(self._find_good() if distributed.is_main() else None)

    def _find_good(self):
        bad = {}
        for path in self.newest_first():
            reason = find_damage(path)
            if reason is None:
                self._set_aside(bad, path)
                return path
            bad[path] = reason
        if bad:
            listed = "\n".join(f"{path} {reason}" for path, reason in bad.items())
            raise UserError(
                f"{listed}\nno good checkpoint is left. Start anew with another OUTPUT_DIR or TRAIN.AUTO_RESUME False; "
                "a file's weights alone can be used through TRAIN.CHECKPOINT_FILE_PATH"
            )
        return None

    def _set_aside(self, bad, good):
        for path, reason in bad.items():
            get_logger().warning(f"{path} {reason}; going back to {good.name}")
            try:
                path.rename(path.with_name(path.name + SET_ASIDE))
            except OSError as error:
                get_logger().warning(f"cannot rename {path}: {error.strerror}")


def find_damage(path):
    """Why a file cannot be resumed from, as the end of a sentence; None for a whole checkpoint of this trainer.

    Checks every byte against the sums in the file, about a second a GB; torch.load itself does not. Of shards, too.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except Exception as error:  # zipfile raises nearly anything on foreign bytes
        return f"is damaged, cut short or no checkpoint ({error})"
    if broken is not None:
        return f"is damaged: {broken} in it is not what was written"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not TrainState.is_held_by(content):
            return "is not a checkpoint of this trainer"
        return find_shard_damage(content, path) if is_in_shards(content) else None
    except Exception as error:  # as above
        return f"is not a checkpoint of this trainer ({type(error).__name__})"


def _link(existing, path):
    """Give a file a second name in place of what has it; a copy where the file system knows no links."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(existing, temporary)
    except OSError:
        with open(existing, "rb") as source:
            atomic_write(path, lambda file: shutil.copyfileobj(source, file))
    else:
        os.replace(temporary, path)


def os_error(error):
    """The OSError behind an exception; torch's writer hides it behind a RuntimeError. None: there is none."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _position(match):
    """Sorts by finished epochs, then steps; the end of an epoch comes before steps of the next one."""
    return int(match[1]), int(match[2] or 0)


def epochs_done(content):
    """Epochs that were finished when a checkpoint of this content was written; None if it does not say."""
    index = content.get("epoch")  # of the last finished epoch, as PySlowFast counts
    return index + 1 if isinstance(index, int) else None


def resume(state, path, cfg):
    """Take over the whole state of a checkpoint.

    Args: cfg: says where the frozen weights are that a checkpoint may lack.
    Raises: UserError where the file is not of this trainer, of another model, or was saved inside an epoch of another
        effective batch size.
    """
    take_over(state, complete(read_checkpoint(path), state.model, cfg, path), path)


def take_over(state, payload, path):
    """As `resume`, of a checkpoint's whole content, or of this process's part of it."""
    if not TrainState.is_held_by(payload):
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
    if stored["step_in_epoch"] and stored.get("course", "") != state.course:
        raise UserError(
            f"{path} was saved inside an epoch of another MULTIGRID schedule. Keep MULTIGRID, DATA.NUM_FRAMES, "
            "DATA.TRAIN_CROP_SIZE, SOLVER.STEPS and SOLVER.MAX_EPOCH, or go on from the end of an epoch"
        )
    try:
        state.load_state_dict(payload)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} does not fit this configuration: {error}. Give the run another OUTPUT_DIR, or set "
            "TRAIN.AUTO_RESUME False"
        ) from None
    get_logger().info(f"resumed from {path} after {state.step} steps, {state.epoch} whole epochs")
