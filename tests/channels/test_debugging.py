"""The page's Debugging, on real servers: what a pool says of itself in one line."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.lab import Lab

if TYPE_CHECKING:
    from tests.channels.conftest import EchoServer

StartServer = Callable[[], "EchoServer"]
HTTP = "http-module-v1"
NOBODY = "127.0.0.1:1"
SECOND = 10**9
EXACT = 2 * 10**6
"""Nanoseconds: as exact as core's counters tell times."""
QUICK = PoolOptions(backoff=Backoff(initial=0.1, maximum=0.2))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def pool() -> Iterator[ClientPool]:
    with ClientPool(QUICK) as pool:
        yield pool


def eventually(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Core's counters send no event to wait for, so they are asked."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# One line


def test_a_pool_tells_its_whole_state_in_one_line(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    pool.register(HTTP, server.target)
    pool.wait(HTTP, "READY", timeout=5)
    assert repr(pool) == f"<ClientPool 1 module: {HTTP}: READY>"
    under_way = pool[HTTP].unary_unary("/echo/Waiting").future(b"", timeout=10)
    assert server.entered.acquire(timeout=5)
    pool.start_health_checks(every=30)
    pool.reconnect(HTTP)
    pool.wait(HTTP, "READY", timeout=5)
    channel = ChannelIdentity(1, ModuleKey(None, HTTP), server.target, 1)
    for code in (Code.OK, Code.UNAVAILABLE):
        pool.journal.append(Call(channel, "echo/Waiting", 0, SECOND, code, 0, 0, ""))
    told = repr(pool)
    assert told.startswith(f"<ClientPool 1 module: {HTTP}: READY; health checks every 30 s; 1 channel draining; ")
    assert ", 1 failed>" in told
    pool.stop_health_checks()
    server.gate.set()
    under_way.result()
    eventually(lambda: "draining" not in repr(pool))
    assert repr(pool).startswith(f"<ClientPool 1 module: {HTTP}: READY; ")
    assert "health checks" not in repr(pool)


def test_of_many_modules_the_worst_are_told_first(pool: ClientPool, start_server: StartServer) -> None:
    server = start_server()
    for number in range(40):
        pool.register(f"module-{number}", server.target)
    pool.register("refused", NOBODY)
    pool.health_check()
    for name in pool:
        pool.wait(name, "TRANSIENT_FAILURE" if name == "refused" else "READY", timeout=5)
    # The refused one connects again and again, and is CONNECTING for a moment each time.
    eventually(lambda: repr(pool) == "<ClientPool 41 modules: 1 TRANSIENT_FAILURE (refused), 40 READY>")


def test_foreign_names_leave_the_line_a_line(pool: ClientPool) -> None:
    for name in ("<script>alert(1)<\\script>", "\u202eevil", "n" * 300, "módulo 🚀"):
        pool.register(name, NOBODY, namespace="a b")
    assert repr(pool).isprintable()
    assert "a b/\\u202eevil: IDLE" in repr(pool)
