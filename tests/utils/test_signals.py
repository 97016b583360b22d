"""What becomes of processes whose parent is killed."""

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import time

import pytest

from slowfast.utils.signals import end_with_parent, shield_data_worker


def work(pipe, prepare):
    prepare()
    pipe.send(os.getpid())
    time.sleep(60)


def parent_of_one(pipe, prepare):
    mp.get_context("fork").Process(target=work, args=(pipe, prepare)).start()
    time.sleep(60)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells a process of its parent's end")
@pytest.mark.parametrize("prepare", [end_with_parent, shield_data_worker])
def test_it_goes_with_its_parent(prepare):
    here, there = mp.Pipe()
    parent = mp.get_context("fork").Process(target=parent_of_one, args=(there, prepare))
    parent.start()
    there.close()
    assert here.recv() != parent.pid
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    assert here.poll(5)  # the pipe's last end is closed
    with pytest.raises(EOFError):
        here.recv()


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_after_all_is_done(number):
    """Even while the interpreter takes itself down, which is when it gives handlers back."""
    last = f"""
import os, sys
from slowfast.utils.signals import hold, ignore
class Last:
    def __del__(self, kill=os.kill, pid=os.getpid()):
        kill(pid, {int(number)})
hold()
ignore()
sys.last = Last()
"""
    assert subprocess.run([sys.executable, "-c", last], timeout=60).returncode == 0
