"""Which process failed first: the others only notice that it is gone, and their words must not hide its own."""

import json
import re
import time
import traceback

import torch.distributed as dist

from slowfast.utils.errors import JobError, UserError

KEY = "first failure"
_ECHOES = re.compile(
    r"gloo|NCCL|[Cc]onnection (closed|reset|refused)|Broken pipe|Timed out waiting|recvValue|process group"
)


def is_echo(error):
    """Whether an exception is what a process sees when another one is gone or late."""
    return isinstance(error, dist.DistError) or (type(error) is RuntimeError and bool(_ECHOES.search(str(error))))


def in_brief(error):
    """What an exception says, without where it was raised."""
    if isinstance(error, UserError | JobError):
        return str(error)
    return traceback.format_exception_only(error)[-1].strip()


def post(store, rank, text):
    """Put down a failure unless one stands there already."""
    store.compare_set(KEY, "", json.dumps([rank, text]))


def first(store):
    """(rank, text) of the first failure that was posted; None so far."""
    return tuple(json.loads(store.get(KEY))) if store.check([KEY]) else None


def wait_for_first(store, seconds):
    """As `first`, for a process that saw another one go: that one may still be putting its words together."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            failure = first(store)
        except RuntimeError:  # the store went with the process that kept it
            return None
        if failure is not None:
            return failure
        time.sleep(0.05)
    return None


def echo_text(rank, text):
    return f"ended because process {rank} failed: {text}"
