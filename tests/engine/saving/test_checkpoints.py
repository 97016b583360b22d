"""Names, pruning and what a run starts from."""

import random
import zipfile
from argparse import Namespace

import pytest
import torch
from torch import nn

from slowfast.config import get_cfg
from slowfast.engine.saving.checkpoints import Checkpointer
from slowfast.engine.saving.initial import initialise
from slowfast.engine.saving.state import TrainState
from slowfast.utils.errors import UserError
from slowfast.utils.io import sha256_file


@pytest.fixture
def cfg(tmp_path):
    cfg = get_cfg()
    cfg.OUTPUT_DIR = str(tmp_path)
    cfg.CHECKPOINT.KEEP_LAST = 2
    return cfg


def _state(width=3, effective_batch=8, seed=0):
    torch.manual_seed(seed)
    model = nn.Linear(width, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return TrainState(model, optimizer, torch.amp.GradScaler("cpu", enabled=False), effective_batch)


def _step(state):
    state.optimizer.zero_grad()
    state.model(torch.ones(1, state.model.in_features)).sum().backward()
    state.optimizer.step()
    state.finish_step()


def _names(tmp_path):
    return sorted(path.name for path in (tmp_path / "checkpoints").iterdir())


def test_names_last_and_pruning(cfg, tmp_path):
    checkpoints, state = Checkpointer(cfg), _state()
    assert checkpoints.last() is None
    _step(state)
    checkpoints.save(state)
    _step(state)
    checkpoints.save(state, epoch_done=True)
    state.finish_epoch()
    checkpoints.save(state)
    checkpoints.save_best(state)
    _step(state)
    checkpoints.save(state)
    assert _names(tmp_path) == [
        "best.pyth",
        "checkpoint_epoch_00001.pyth",
        "checkpoint_epoch_00001_iter_00000003.pyth",
        "last",
    ]
    assert (tmp_path / "checkpoints/last").read_text() == "checkpoint_epoch_00001_iter_00000003.pyth\n"
    assert checkpoints.last().name == "checkpoint_epoch_00001_iter_00000003.pyth"


def test_keep_last_0_keeps_all(cfg, tmp_path):
    cfg.CHECKPOINT.KEEP_LAST = 0
    checkpoints, state = Checkpointer(cfg), _state()
    for _ in range(4):
        _step(state)
        checkpoints.save(state)
    assert len(checkpoints.all()) == 4


def test_without_the_pointer_the_furthest_one_is_last(cfg, tmp_path):
    checkpoints, state = Checkpointer(cfg), _state()
    for _ in range(2):
        _step(state)
        state.finish_epoch()
        checkpoints.save(state)
    (tmp_path / "checkpoints/last").unlink()
    assert checkpoints.last().name == "checkpoint_epoch_00002.pyth"


def test_resume_takes_over_everything(cfg):
    checkpoints, state = Checkpointer(cfg), _state()
    for _ in range(3):
        _step(state)
    state.add_sums({"loss": 1.5})
    state.best = 12.5
    checkpoints.save(state)
    fresh = _state(seed=1)
    initialise(fresh, cfg, checkpoints)
    assert (fresh.epoch, fresh.step_in_epoch, fresh.step, fresh.best, fresh.sums) == (0, 3, 3, 12.5, {"loss": 1.5})
    for one in (state, fresh):
        _step(one)
    assert torch.equal(state.model.weight, fresh.model.weight)


def test_no_auto_resume_starts_anew(cfg):
    checkpoints, state = Checkpointer(cfg), _state()
    _step(state)
    checkpoints.save(state)
    cfg.TRAIN.AUTO_RESUME = False
    fresh = _state(seed=1)
    initialise(fresh, cfg, checkpoints)
    assert fresh.step == 0


def test_epoch_reset_takes_the_weights_alone(cfg, tmp_path):
    checkpoints, state = Checkpointer(cfg), _state()
    _step(state)
    checkpoints.save(state)
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(checkpoints.last())
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET = True
    cfg.OUTPUT_DIR = str(tmp_path / "another")
    fresh = _state(seed=1)
    initialise(fresh, cfg, Checkpointer(cfg))
    assert fresh.step == 0
    assert torch.equal(state.model.weight, fresh.model.weight)


def test_another_effective_batch_inside_an_epoch_is_refused(cfg):
    checkpoints, state = Checkpointer(cfg), _state(effective_batch=8)
    _step(state)
    checkpoints.save(state)
    with pytest.raises(UserError, match=r"8 clips an optimizer step, now it is 12"):
        initialise(_state(effective_batch=12), cfg, checkpoints)


def test_another_model_is_refused_by_name(cfg):
    checkpoints, state = Checkpointer(cfg), _state(width=3)
    checkpoints.save(state)
    with pytest.raises(UserError, match=r"checkpoint_epoch_00000.pyth does not fit this configuration"):
        initialise(_state(width=4), cfg, checkpoints)


def test_a_foreign_file_is_refused_with_the_way_to_use_it(cfg, tmp_path):
    checkpoints = Checkpointer(cfg)
    checkpoints.folder.mkdir()
    torch.save({"model_state": {}}, checkpoints.folder / "checkpoint_epoch_00005.pyth")
    with pytest.raises(UserError, match=r"TRAIN.CHECKPOINT_FILE_PATH"):
        initialise(_state(), cfg, checkpoints)


@pytest.mark.parametrize(
    "change",
    [
        {"train_state": 5},
        {"train_state": {"step": 1}},
        {"optimizer_state": None},
        {"model_state": torch.ones(3)},
    ],
)
def test_a_file_that_only_looks_like_a_checkpoint(cfg, change):
    checkpoints = _saved(cfg, 2)
    torch.save(torch.load(checkpoints.last(), weights_only=True) | change, checkpoints.last())
    state = _state(seed=1)
    initialise(state, cfg, checkpoints)
    assert state.step == 1  # the one before


def test_a_failed_write_names_the_file(cfg, tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="checkpoints"):
        Checkpointer(cfg).save(_state())


def test_start_from_weights_of_other_people(cfg, tmp_path, caplog):
    weights = {"module.weight": torch.full((2, 3), 0.5), "module.bias": torch.zeros(2), "module.extra": torch.ones(1)}
    torch.save({"model": weights, "args": Namespace(lr=1)}, tmp_path / "released.pth")
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / "released.pth")
    cfg.WEIGHTS.TRAIN_SHA256 = sha256_file(tmp_path / "released.pth")
    state = _state()
    with caplog.at_level("INFO", logger="slowfast"):
        initialise(state, cfg, Checkpointer(cfg))
    assert (state.model.weight == 0.5).all()
    assert (state.epoch, state.step) == (0, 0)
    assert "unexpected     1  extra" in caplog.text


def test_too_little_of_the_backbone_is_refused(cfg, tmp_path):
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "released.pth")
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / "released.pth")
    with pytest.raises(UserError, match=r"75.0 % of the backbone's 8 parameters, less than WEIGHTS.MIN_MATCHED 0.9"):
        initialise(_state(), cfg, Checkpointer(cfg))
    cfg.WEIGHTS.MIN_MATCHED = 0.75
    initialise(_state(), cfg, Checkpointer(cfg))


def test_a_file_of_another_digest_is_refused(cfg, tmp_path):
    torch.save({"weight": torch.zeros(2, 3)}, tmp_path / "released.pth")
    cfg.TRAIN.CHECKPOINT_FILE_PATH = str(tmp_path / "released.pth")
    cfg.WEIGHTS.TRAIN_SHA256 = "0" * 64
    with pytest.raises(UserError, match=r"released.pth has SHA-256 \w{64}, expected 0{64}"):
        initialise(_state(), cfg, Checkpointer(cfg))


def _saved(cfg, steps):
    """Checkpoints after each of the steps."""
    cfg.CHECKPOINT.KEEP_LAST = 0
    checkpoints, state = Checkpointer(cfg), _state()
    for _ in range(steps):
        _step(state)
        checkpoints.save(state)
    return checkpoints


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_checkpoint_is_set_aside(cfg, tmp_path, caplog, seed):
    """Cut anywhere, or one bit flipped anywhere in a tensor: auto-resume goes back to the one before, and says so."""
    checkpoints = _saved(cfg, 3)
    path, good = checkpoints.last(), checkpoints.all()[-2]
    whole, rng = bytearray(path.read_bytes()), random.Random(seed)
    if seed % 2:
        with zipfile.ZipFile(path) as archive:
            start = whole.index(archive.read(archive.namelist()[0].split("/")[0] + "/data/0"))
        whole[start + rng.randrange(24)] ^= 1 << rng.randrange(8)
        path.write_bytes(whole)
    else:
        path.write_bytes(whole[: rng.randrange(len(whole))])
    state = _state(seed=1)
    with caplog.at_level("INFO", logger="slowfast"):
        initialise(state, cfg, checkpoints)
    assert state.step == 2
    assert f"going back to {good.name}" in caplog.text and str(path) in caplog.text
    assert _names(tmp_path)[-2:] == [f"{path.name}.damaged", "last"]
    cfg.CHECKPOINT.KEEP_LAST = 1
    _step(state)
    Checkpointer(cfg).save(state)
    assert _names(tmp_path) == [path.name, f"{path.name}.damaged", "last"]


def test_no_good_checkpoint_is_left(cfg):
    """Never silently from the start."""
    checkpoints = _saved(cfg, 2)
    for path in checkpoints.all():
        path.write_bytes(b"torn")
    with pytest.raises(UserError, match=r"(?s)00000002.pyth is damaged.*00000001.pyth is damaged.*no good checkpoint"):
        initialise(_state(), cfg, checkpoints)


def test_unfinished_files_of_a_killed_run_are_removed(cfg, tmp_path):
    checkpoints = _saved(cfg, 1)
    for name in (".checkpoint_epoch_00001.pyth.x1", ".best.pyth.x2", ".last.x3"):
        (tmp_path / "checkpoints" / name).write_text("half")
    initialise(_state(), cfg, checkpoints)
    assert _names(tmp_path) == ["checkpoint_epoch_00000_iter_00000001.pyth", "last"]


def test_a_background_write_holds_the_state_of_its_call(cfg, tmp_path):
    cfg.CHECKPOINT.ASYNC = True
    checkpoints, state = Checkpointer(cfg), _state()
    for _ in range(2):  # the second time in the first one's buffers
        _step(state)
        expected = state.model.weight.detach().clone()
        checkpoints.save(state, best=True)
        with torch.no_grad():
            state.model.weight.zero_()
        checkpoints.finish()
        for path in (checkpoints.last(), tmp_path / "checkpoints/best.pyth"):
            assert torch.equal(torch.load(path, weights_only=True)["model_state"]["weight"], expected)


@pytest.mark.parametrize("on_error", ["stop", "warn"])
def test_a_failed_background_write_comes_out_later(cfg, tmp_path, caplog, on_error):
    cfg.CHECKPOINT.ASYNC, cfg.CHECKPOINT.ON_SAVE_ERROR = True, on_error
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    checkpoints = Checkpointer(cfg)
    checkpoints.save(_state())
    if on_error == "warn":
        with caplog.at_level("ERROR", logger="slowfast"):
            checkpoints.finish()
        assert "cannot write" in caplog.text and "Going on without" in caplog.text
    else:
        with pytest.raises(UserError, match=r"cannot write .*checkpoint_epoch_00000.pyth"):
            checkpoints.finish()
