"""Each operation of a pool is counted once, by how it went."""

import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.errors import AddressError, AmbiguousModuleError, ModuleNameError, OptionsError, PoolClosedError, UnknownModuleError
from tinypool_nb.metrics.operations import STATUSES, Operations

HTTP = "http-module-v1"
HERE, THERE = "127.0.0.1:1", "127.0.0.1:2"


def counted(pool: ClientPool) -> dict[tuple[str, str], int]:
    """What was counted at all."""
    return {cast("tuple[str, str]", which): count for which, count in pool._operations.read().items() if count}


def test_every_count_begins_at_0() -> None:
    assert Operations().read() == {(operation, status): 0 for operation, statuses in STATUSES.items() for status in statuses}


def test_register_is_ok_unchanged_or_replaced() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, HERE)
        pool.register(HTTP, HERE)
        pool.register(HTTP, HERE)
        pool.register(HTTP, THERE)
        assert counted(pool) == {("register", "ok"): 1, ("register", "unchanged"): 2, ("register", "replaced"): 1}


def test_unregister_of_what_is_not_there_is_unchanged() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, HERE)
        assert pool.unregister(HTTP)
        assert not pool.unregister(HTTP)
        assert counted(pool) == {("register", "ok"): 1, ("unregister", "ok"): 1, ("unregister", "unchanged"): 1}


def test_reconnect_and_health_check_are_ok() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, HERE)
        pool.reconnect(HTTP)
        pool.health_check()
        assert counted(pool) == {("register", "ok"): 1, ("reconnect", "ok"): 1, ("health_check", "ok"): 1}


def test_get_is_not_counted() -> None:
    with ClientPool() as pool:
        pool.get(HTTP)
        assert counted(pool) == {}


def test_a_second_close_is_unchanged() -> None:
    pool = ClientPool()
    pool.close()
    pool.close()
    assert counted(pool) == {("close", "ok"): 1, ("close", "unchanged"): 1}


def test_what_raises_is_an_error() -> None:
    with ClientPool() as pool:
        pool.register(HTTP, HERE, namespace="one")
        pool.register(HTTP, HERE, namespace="two")
        with pytest.raises(AddressError):
            pool.register("api-module-v1", "no port")
        with pytest.raises(ModuleNameError):
            pool.register("", HERE)
        with pytest.raises(OptionsError):
            pool.register("api-module-v1", HERE, options="fast")  # type: ignore[arg-type]
        with pytest.raises(AmbiguousModuleError):
            pool.unregister(HTTP)
        with pytest.raises(UnknownModuleError):
            pool.reconnect("api-module-v1")
    with pytest.raises(PoolClosedError):
        pool.register(HTTP, HERE)
    with pytest.raises(PoolClosedError):
        pool.reconnect(HTTP)
    with pytest.raises(PoolClosedError):
        pool.health_check()
    errors = {operation: count for (operation, status), count in counted(pool).items() if status == "error"}
    assert errors == {"register": 4, "unregister": 1, "reconnect": 2, "health_check": 1}


def test_many_threads_lose_no_count() -> None:
    operations = Operations()

    def add_many(_: int) -> None:
        for _ in range(1000):
            operations.add("send", "ok")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_many, range(8)))
    assert operations.read()["send", "ok"] == 8000


def test_a_method_that_counts_looks_as_it_did() -> None:
    assert list(inspect.signature(ClientPool.register).parameters) == ["self", "name", "address", "namespace", "options"]
    assert (ClientPool.register.__doc__ or "").startswith("Make a module reachable.")
