"""What a run's model is filled with: where training starts, what is tested, and what a dry run tries of both."""

from dataclasses import dataclass
from pathlib import Path

from slowfast.engine.saving.checkpoints import Checkpointer, epochs_done, resume
from slowfast.evaluation.results import describe_checkpoint
from slowfast.utils import distributed
from slowfast.utils.errors import UserError
from slowfast.utils.logging import get_logger
from slowfast.weights import (
    NEW,
    class_rows,
    complete,
    fetch,
    fill_frozen,
    has_other_classes,
    load_pretrained,
    read_checkpoint,
    read_file,
    state_dict_of,
)
from slowfast.weights import start as begin


@dataclass(frozen=True)
class Start:
    """Where training starts. path: local file, None: no checkpoint; resumes: its whole state is taken over."""

    path: Path | None
    resumes: bool


def find_start(cfg, checkpoints):
    """Start, in all processes the same.

    With TRAIN.AUTO_RESUME the run's own last good checkpoint; else, or without one, TRAIN.CHECKPOINT_FILE_PATH: as a
    whole where it is a checkpoint of this trainer and TRAIN.CHECKPOINT_EPOCH_RESET is off, its weights alone otherwise.

    Raises: UserError: there are own checkpoints, and none is good; there is no such file.
    """
    if distributed.is_main():
        checkpoints.clear_temporaries()
    path = checkpoints.last_good() if cfg.TRAIN.AUTO_RESUME else None
    if path is not None:
        return Start(path, resumes=True)
    if not cfg.TRAIN.CHECKPOINT_FILE_PATH:
        return Start(None, resumes=False)
    path = fetch_weights(cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg, cfg.WEIGHTS.TRAIN_SHA256)
    return Start(path, not cfg.TRAIN.CHECKPOINT_EPOCH_RESET and "train_state" in read_file(path))


def fill(model, start, cfg):
    """Give a whole model what it starts from, but for what is resumed; of that, frozen weights that were left out.

    Without a checkpoint: what the model's class starts from (`weights.start`), or the random weights that it has. A
    frozen part of which the named file holds nothing comes from there too.

    Raises: UserError naming the file where it cannot be used, or gives less than WEIGHTS.MIN_MATCHED of the backbone.
    """
    if start.resumes:
        complete(read_file(start.path), model, cfg, start.path)
    elif start.path is not None:
        content = complete(read_checkpoint(start.path, parts=("model_state",)), model, cfg, start.path)
        _start_from(start.path, content, model, cfg)
    else:
        for text in begin(model, cfg):
            get_logger().info(text)


def initialise(state, cfg, checkpoints):
    """Bring a fresh state, whole in each process, to where training starts: `find_start`, `fill`, `resume`."""
    start = find_start(cfg, checkpoints)
    if start.resumes:
        resume(state, start.path, cfg)
        return
    fill(state.model, start, cfg)
    if state.average is not None:
        state.average.restart(state.model)


def _start_from(path, content, model, cfg):
    """Fill a model with a checkpoint's weights, say what fitted; UserError below WEIGHTS.MIN_MATCHED."""
    rows, mapping = class_rows(cfg)
    report = load_pretrained(model, state_dict_of(content, path), rows)
    texts = mapping + fill_frozen(model, cfg, report.filled)
    get_logger().info("\n".join([f"starting from the weights of {path}\n{report.table()}", *texts]))
    report.require(cfg.WEIGHTS.MIN_MATCHED, path)


def try_weights(model, cfg):
    """Fill a model as the run's first job would, without a change to the run's folder.

    Raises: UserError: as `initialise` and `load_test_weights`.
    """
    own = Checkpointer(cfg).last() if cfg.TRAIN.AUTO_RESUME else None
    if not cfg.TRAIN.ENABLE:
        if cfg.TEST.ENABLE:
            load_test_weights(model, cfg)
    elif own is not None:
        get_logger().info(f"this run goes on from {own}")
    elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
        path = fetch_weights(cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg, cfg.WEIGHTS.TRAIN_SHA256)
        _start_from(path, complete(read_checkpoint(path, parts=("model_state",)), model, cfg, path), model, cfg)
    else:
        for text in begin(model, cfg):
            get_logger().info(text)


def load_test_weights(model, cfg):
    """Load what is to be tested: TEST.CHECKPOINT_FILE_PATH, else the run's last checkpoint, else TRAIN's file.

    Returns:
        what `describe_checkpoint` says of the file; None for random weights, if TEST.ALLOW_RANDOM_WEIGHTS is on.
    Raises:
        UserError: there is no file, or it does not give every parameter of the model.
    """
    path = _what_to_test(cfg)
    if path is None:
        if cfg.TEST.ALLOW_RANDOM_WEIGHTS:
            get_logger().warning("testing RANDOM weights, as TEST.ALLOW_RANDOM_WEIGHTS says")
            return None
        raise UserError(
            f"nothing to test: TEST.CHECKPOINT_FILE_PATH is empty and {cfg.OUTPUT_DIR}/checkpoints holds no "
            "checkpoint. Train first, name a checkpoint, or set TEST.ALLOW_RANDOM_WEIGHTS True"
        )
    parts = ("model_state", "average_state")
    content = complete(read_checkpoint(path, parts=parts), model, cfg, path)
    state = state_dict_of(content, path)
    rows, mapping = class_rows(cfg) if has_other_classes(model, state) else (None, [])  # a run's own: mapped already
    report = load_pretrained(model, state, rows)
    get_logger().info("\n".join([f"testing the weights of {path}\n{report.table()}", *mapping]))
    if rows is not None and NEW in rows:
        raise UserError(f"{path} lacks classes that are to be tested ({mapping[-1]}); train them first")
    if report.unfilled:
        raise UserError(
            f"{path} does not hold the tested model (MODEL.MODEL_NAME {cfg.MODEL.MODEL_NAME}): {report}. "
            "Check the model's keys and MODEL.NUM_CLASSES against the checkpoint's"
        )
    if cfg.SOLVER.EMA_DECAY and cfg.SOLVER.EMA_EVALUATE:
        _take_average(model, content, path)
    return describe_checkpoint(path, epochs_done(content))


def _what_to_test(cfg):
    """Local path of the checkpoint to test; None: no key names one and the run has none."""
    if cfg.TEST.CHECKPOINT_FILE_PATH:
        return fetch_weights(cfg.TEST.CHECKPOINT_FILE_PATH, cfg, cfg.WEIGHTS.TEST_SHA256)
    path = Checkpointer(cfg).last()
    if path is None and cfg.TRAIN.CHECKPOINT_FILE_PATH:
        path = fetch_weights(cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg, cfg.WEIGHTS.TRAIN_SHA256)
    return path


def _take_average(model, content, path):
    """Put the moving average that a checkpoint holds over the trained weights."""
    average = content.get("average_state")
    if not average:
        raise UserError(
            f"{path} holds no moving average of the weights, which SOLVER.EMA_EVALUATE wants tested; set it False"
        )
    model.load_state_dict(average, strict=False)  # frozen parameters have no average
    get_logger().info(f"testing the moving average of {len(average)} tensors (SOLVER.EMA_EVALUATE)")


def fetch_weights(location, cfg, sha256):
    """Local path of a checkpoint that a key names by path or URL; downloads are kept in WEIGHTS.CACHE_DIR.

    Raises: UserError: there is no such file, or its SHA-256 is another one.
    """
    return fetch(location, sha256=sha256, cache_dir=cfg.WEIGHTS.CACHE_DIR)
