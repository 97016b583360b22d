"""A name that only the processes which are there now share, in a store that may hold what earlier ones left."""

import hashlib
import time
import uuid

POLL_SEC = 0.05


def agree_on_name(store, rank, world_size, timeout_sec):
    """The same new name in all processes that call this together; keys behind it are nobody else's.

    torchrun keeps its store when it starts processes again, with the addresses of those that are gone. Each process
    puts down a number of its own. The name is made of all of them, and holds once every process has confirmed it: one
    that was made with the number of a process that is gone is never confirmed by that process.

    Args:
        store: torch.distributed store. rank, world_size: of this process.
        timeout_sec: seconds until all must be there.
    Raises: RuntimeError: they are not.
    """
    end = time.monotonic() + timeout_sec
    store.set(f"here/{rank}", uuid.uuid4().hex)
    confirmed = None
    while time.monotonic() < end:
        numbers = [f"here/{other}" for other in range(world_size)]
        if store.check(numbers):
            name = hashlib.sha256(b"".join(store.get(key) for key in numbers)).hexdigest()
            if name != confirmed:
                store.set(f"{name}/{rank}", "")
                confirmed = name
            if store.check([f"{name}/{other}" for other in range(world_size)]):
                return name
        time.sleep(POLL_SEC)
    raise RuntimeError(f"Timed out waiting for {world_size} processes after {timeout_sec} s")
