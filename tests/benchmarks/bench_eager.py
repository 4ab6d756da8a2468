"""How soon a lost module is READY once its server listens again: with eager reconnection, and by gRPC's own backoff."""

import random
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import psutil

from tinypool_nb.channels.environment import prepare

prepare()

import grpc  # noqa: E402  gRPC reads the environment while it loads

from tinypool_nb.channels.pool import ClientPool  # noqa: E402
from tinypool_nb.core.events import Transition  # noqa: E402
from tinypool_nb.core.options import PoolOptions  # noqa: E402
from tinypool_nb.core.states import State  # noqa: E402

NAME = "http-module-v1"
PORTS = range(20_000, 32_768)
OUTAGES = ((0.1, 15, "0.9 s"), (3.0, 7, "2.1 s"), (10.0, 5, "6.5 s"))
"""Seconds that the server is away, how often that is measured, and what the Go pool took after it (FACTS)."""
BY_ITSELF = 3
"""How often the default is measured: it takes seconds each time."""
STANDS = 1.5
"""Seconds for which it is READY before it is lost again, so that the next outage is one of its own."""
MANY = 1000

Figure = tuple[str, float, str, float | None, str]


def figures() -> Iterator[Figure]:
    """Each row: what, measured, unit, bar, compared to."""
    for outage, times, go in OUTAGES:
        eager = measured(PoolOptions(eager_reconnect=True), outage, times)
        default = measured(PoolOptions(), outage, min(times, BY_ITSELF))
        compared = f"default {statistics.median(default):.1f} s, Go pool {go}; the slowest of {times}: {max(eager) * 1e3:.0f} ms"
        yield f"READY after the server listens, {outage:g} s away, p50", statistics.median(eager) * 1e3, "ms", 50, compared
    yield from many_lost()


def measured(options: PoolOptions, outage: float, times: int) -> list[float]:
    """Seconds from the server's listening to the READY of core's own stamp."""
    with Server() as server, ClientPool(options) as pool:
        pool.register(NAME, server.address)
        pool.wait(NAME, timeout=10)
        took = []
        for _ in range(times):
            time.sleep(STANDS)
            ready = Ready(pool)
            server.stop()
            gone = time.monotonic()
            while pool.health_check() == {NAME: State.IDLE}:  # somebody wants it, else gRPC's own backoff would not even begin
                time.sleep(0.002)
            time.sleep(max(0.0, gone + outage - time.monotonic()))
            listens = pool.journal.clock.now()
            server.start()
            took.append((ready.wait() - listens) / 1e9)
        return took


def many_lost() -> Iterator[Figure]:
    """What it costs to probe a thousand modules that stay away, and how soon all of them are back."""
    with Server() as server, ClientPool(PoolOptions(eager_reconnect=True)) as pool:
        for index in range(MANY):
            pool.register(f"module-{index}", server.address)
        pool.health_check()
        for index in range(MANY):
            pool.wait(f"module-{index}", timeout=60)
        time.sleep(STANDS)
        server.stop()
        time.sleep(3)
        process = psutil.Process()
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(10)
        share = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
        yield "1000 lost modules probed, 500 probes a second", share * 100, "% of a core", None, "the whole pool, with its observer"
        listens = time.monotonic()
        server.start()
        while any(state is not State.READY for state in pool.health().values()):
            time.sleep(0.05)
        yield "1000 lost modules, all READY after the server listens", time.monotonic() - listens, "s", None, "2 s are a turn of probes"


class Server:
    """A gRPC server without a service that goes away and comes back at the same port."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1)
        self.address = ""
        self.start()

    def start(self) -> None:
        self._server = grpc.server(self._threads, options=[("grpc.so_reuseport", 0)])
        for port in [self.address] if self.address else [f"127.0.0.1:{port}" for port in random.sample(PORTS, 20)]:
            try:
                self._server.add_insecure_port(port)
            except RuntimeError:
                continue
            self.address = port
            self._server.start()
            return
        raise RuntimeError(f"the server could not listen at {self.address or 'any port'}")

    def stop(self) -> None:
        self._server.stop(None).wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._threads.shutdown()


class Ready:
    """Waits for the next READY of the module."""

    def __init__(self, pool: ClientPool) -> None:
        self._pool = pool
        self._at: int | None = None
        self._came = threading.Event()
        pool._observer.add_watcher(self)

    def __call__(self, row: Transition) -> None:
        if row.state is State.READY:
            self._at = row.time
            self._came.set()

    def wait(self) -> int:
        """Its stamp."""
        deadline = time.monotonic() + 60
        while not self._came.wait(0.1):
            assert time.monotonic() < deadline, self._pool.health()
            self._pool.health_check()  # it may have gone IDLE once more; in a backoff it is of no use to ask
        self._pool._observer.remove_watcher(self)
        assert self._at is not None
        return self._at
