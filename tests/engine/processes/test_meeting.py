"""Processes that meet again in a store with the traces of those that are gone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch.distributed as dist

from slowfast.engine.processes.meeting import agree_on_name


@pytest.fixture
def clients():
    """clients(n): n clients of one store."""
    server = dist.TCPStore("127.0.0.1", 0, 1, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=10))

    def connect(count):
        return [dist.TCPStore("127.0.0.1", server.port, is_master=False) for _ in range(count)]

    return connect


def meet(stores):
    with ThreadPoolExecutor(len(stores)) as pool:
        return list(pool.map(lambda rank: agree_on_name(stores[rank], rank, len(stores), 10), range(len(stores))))


def test_each_meeting_has_its_own_name(clients):
    names = [meet(clients(count)) for count in (3, 3, 2, 3)]
    assert all(len(set(together)) == 1 for together in names)
    assert len({together[0] for together in names}) == 4


def test_those_that_are_gone_do_not_count(clients):
    stores = clients(2)
    meet(stores)
    with pytest.raises(RuntimeError, match="Timed out waiting for 2 processes"):
        agree_on_name(stores[0], 0, 2, 0.3)
