"""SIGUSR1 and SIGTERM: all ranks leave at one step with everything saved; a second signal or the deadline at once."""

import os
import signal
import sys
import time

import pytest

from slowfast.engine.processes import preemption
from slowfast.engine.processes.preemption import _Listener
from slowfast.engine.test import test as score_job
from slowfast.utils.signals import SignalCounter, hold
from tests.distributed.ranks import at
from tests.engine.test_resume import assert_same
from tests.engine.test_resume import start as start_run_net

PREEMPTED = 75


def signal_to(number, rank):
    """`prepare`: one rank signals itself in the third step."""
    return at("forward", 3, lambda: os.kill(os.getpid(), number), rank)


def hang(rank):
    """`prepare`: a rank hangs in the fourth step, after one in which it made a checkpoint."""
    return at("forward", 4, lambda: time.sleep(60), rank)


@pytest.fixture
def cfg(run_cfg):
    def load(name, **changes):
        options = {"SOLVER__MAX_EPOCH": 2, "TRAIN__BATCH_SIZE": 8, "MODEL__DROPOUT_RATE": 0.3, "LOG_PERIOD": 50}
        return run_cfg(name, **(options | changes))

    return load


def test_the_end_is_heard_with_another_signal(tmp_path):
    """A data worker's end wakes the listener too; the job may end before it has looked what it was."""

    class EndsMeanwhile(SignalCounter):
        def collect(self):
            listener.closing = True
            self.wake()
            return super().collect()

    with EndsMeanwhile() as signals:
        listener = _Listener(signals, tmp_path, 60)
        listener.start()
        signals.wake()
        listener.join(10)
        assert not listener.is_alive()


@pytest.mark.parametrize("number, rank, save_async", [(signal.SIGUSR1, 1, False), (signal.SIGTERM, 0, True)])
def test_one_rank_is_told_and_all_leave_with_all_saved(cfg, start, last_state, tmp_path, number, rank, save_async):
    start(cfg("uncut"), 2).wait()
    cut = cfg("cut", CHECKPOINT__ASYNC=save_async)
    left = start(cut, 2, prepare=signal_to(number, rank))
    assert left.wait() == [PREEMPTED, PREEMPTED], left.errors
    assert "after 4 steps" in (tmp_path / "cut/PREEMPTED").read_text()  # it is agreed on one step later
    assert (tmp_path / "cut/checkpoints/last").read_text() == "checkpoint_epoch_00001.pyth\n"
    resumed = start(cut, 2)
    assert resumed.wait() == [0, 0], resumed.errors
    assert_same(last_state("cut"), last_state("uncut"))


def test_told_while_validating(cfg, start, last_state, tmp_path):
    """Validation is left; it starts again, from the epoch's weights, in the next run."""
    options = {"TRAIN__EVAL_PERIOD": 1}
    start(cfg("uncut", **options), 2).wait()
    cut = cfg("cut", **options)
    told = at("validating", 4, lambda: os.kill(os.getpid(), signal.SIGTERM), rank=1)
    left = start(cut, 2, prepare=told)
    assert left.wait() == [PREEMPTED, PREEMPTED], left.errors
    assert '"val"' not in (tmp_path / "cut/metrics.jsonl").read_text()
    assert start(cut, 2).wait() == [0, 0]
    assert_same(last_state("cut"), last_state("uncut"))


def test_a_second_signal_leaves_at_once(cfg, start, tmp_path, monkeypatch):
    monkeypatch.setattr(preemption, "ECHO_SEC", 0.2)
    ranks = start(cfg("cut", TRAIN__CHECKPOINT_PERIOD_ITERS=1), 1, prepare=hang(0))
    last = tmp_path / "cut/checkpoints/last"
    wait_for(lambda: last.exists() and "iter_00000003" in last.read_text())
    time.sleep(0.2)
    ranks.ranks[0].kill(signal.SIGUSR1)
    ranks.ranks[0].kill(signal.SIGTERM)  # so soon after the first, it is the same request by another way
    time.sleep(0.5)
    assert ranks.ranks[0].poll() is None
    ranks.ranks[0].kill(signal.SIGTERM)
    assert ranks.wait(timeout=5) == [PREEMPTED]
    assert "second signal" in (tmp_path / "cut/PREEMPTED").read_text()
    assert "iter_00000003" in last.read_text()


def test_told_before_it_listens(cfg, start, tmp_path):
    """A signal while the process is still importing is kept for the job."""
    hold()
    try:
        left = start(cfg("cut"), 1, prepare=lambda rank: os.kill(os.getpid(), signal.SIGUSR1))
        assert left.wait() == [PREEMPTED], left.errors
    finally:
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def test_the_deadline_leaves_at_once(cfg, start, tmp_path):
    changes = {"DIST__PREEMPT_DEADLINE_SEC": 1, "TRAIN__CHECKPOINT_PERIOD_ITERS": 1}
    ranks = start(cfg("cut", **changes), 1, prepare=hang(0))
    last = tmp_path / "cut/checkpoints/last"
    wait_for(lambda: last.exists() and "iter_00000003" in last.read_text())
    ranks.ranks[0].kill(signal.SIGTERM)
    assert ranks.wait(timeout=10) == [PREEMPTED]
    assert "DIST.PREEMPT_DEADLINE_SEC" in (tmp_path / "cut/PREEMPTED").read_text()


def test_a_test_run_has_nothing_to_save(run_cfg, start, tmp_path, monkeypatch):
    told = at("testing", None, lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(60)))
    cfg = run_cfg("test", TEST__ALLOW_RANDOM_WEIGHTS=True, TRAIN__ENABLE=False)
    assert start(cfg, 1, job=score_job, prepare=told).wait(timeout=20) == [PREEMPTED]
    assert (tmp_path / "test/PREEMPTED").exists()


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.faults
def test_the_front_door_passes_signals_on(repo, tiny_options, tmp_path):
    """run_net with two spawned ranks and data workers; the signal reaches all processes, as SLURM's may."""
    folder = tmp_path / "run"
    options = tiny_options | {
        "NUM_GPUS": 0,
        "NUM_PROCS": 2,
        "SOLVER.MAX_EPOCH": 50,
        "DATA_LOADER.NUM_WORKERS": 1,
        "TRAIN.CHECKPOINT_PERIOD_ITERS": 5,
        "TEST.ENABLE": True,
    }
    process = start_run_net(repo, options, start_new_session=True)
    wait_for(lambda: (folder / "checkpoints/last").exists(), 120)
    os.killpg(process.pid, signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == PREEMPTED, output
    assert "Traceback" not in output and "left as asked" in output
    assert (folder / "PREEMPTED").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="signals of other systems differ")
def test_forked_processes_do_not_count_for_their_parent(cfg, start, tmp_path):
    """A signal to a data worker alone is none to the run."""

    def signal_a_child():
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.05)
            os._exit(0)
        os.waitpid(pid, 0)

    ranks = start(cfg("whole"), 1, prepare=at("forward", 3, signal_a_child))
    assert ranks.wait() == [0]
