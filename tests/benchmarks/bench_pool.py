"""What the pool and its observer cost: at rest, for each verb, and from gRPC core's stamp to the journal's row."""

import os
import statistics
import threading
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tinypool_nb.channels.observer import HURRY_FOR
from tinypool_nb.channels.pool import ClientPool
from tinypool_nb.core.events import Transition
from tinypool_nb.core.options import Backoff, PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.lab import Lab, Module
from tinypool_nb.lab.flapping import FlappingServer

MANY = 1000
FLAPPING = PoolOptions(load_balancing="round_robin", backoff=Backoff(initial=0.1, maximum=0.2))

Figure = tuple[str, float, str, float | None, str]


def figures() -> Iterator[Figure]:
    """Each row: what, measured, unit, bar, compared to."""
    yield from memory()
    yield from verbs()
    yield from at_rest()
    yield from lags()
    yield from mass_kill()


def verbs() -> Iterator[Figure]:
    with ClientPool() as pool:
        for index in range(MANY):
            pool.register(f"module-{index}", f"127.0.0.1:{20_000 + index}")
        pool.catch_up()
        time.sleep(HURRY_FOR + 1)  # the observer comes to rest
        get = min(timeit.repeat("get('module-7')", globals={"get": pool.get}, number=100_000, repeat=7)) / 100_000
        bare = min(timeit.repeat("get('module-7')", globals={"get": dict(pool._faces).get}, number=100_000, repeat=7)) / 100_000
        yield "get", get * 1e9, "ns", 150, f"dict.get {bare * 1e9:.0f} ns"
        yield "health() of 1000", min(timeit.repeat(pool.health, number=1000, repeat=7)) / 1000 * 1e6, "us", 10, "Go pool 85 us"
        rounds = []
        for name in (f"new-{index}" for index in range(500)):
            started = time.perf_counter()
            pool.register(name, "127.0.0.1:20000")
            rounds.append(time.perf_counter() - started)
        yield "register, beside 1000 others, p50", statistics.median(rounds) * 1e6, "us", 100, "plain grpcio channel 17 us, Go pool 35 us"
        yield "register, the mean of 500 in a row", statistics.mean(rounds) * 1e6, "us", None, "with the observer taking them up in between"


def memory() -> Iterator[Figure]:
    """First of all, and nothing is given back in between, since memory that was used before would not be seen to be taken."""
    process = psutil.Process()
    with FlappingServer(hold=None) as server, FlappingServer(hold=0.0, flaps=200 * 150) as flapping, connected(server, 10):
        before = process.memory_info().rss
        with connected(server, MANY) as pool:
            pool.catch_up()
            at_rest = process.memory_info().rss
            yield "memory a connected channel", (at_rest - before) / MANY / 1024, "KiB", 50, "plain grpcio 37 KiB (FACTS)"
            with connected(flapping, 200, FLAPPING) as other:
                flapping.wait(established=200 * 151, timeout=300)
                other.catch_up()
                full = (process.memory_info().rss - at_rest) / 200 / 1024
                yield "memory a channel with full traces", full, "KiB", None, "200 channels, 150 flaps each"


def at_rest() -> Iterator[Figure]:
    with FlappingServer(hold=None) as server:
        with connected(server, 10):
            few = threading.active_count()
        with connected(server, MANY) as pool:
            many = threading.active_count()
            time.sleep(HURRY_FOR + 3)  # quick sweeps and first audits are over
            with_observer = share_of_a_core(30)
            with pool._observer._lock:
                without = share_of_a_core(30)
            told = min(timeit.repeat(lambda: repr(pool), number=10, repeat=7)) / 10
            counted = min(timeit.repeat(pool.channelz, number=1, repeat=5))
        yield "1000 connected channels at rest", with_observer * 100, "% of a core", 1.5, f"observer held up: {without * 100:.2f} %"
        yield "threads added by 990 more channels", many - few, "", 0, "subscribe: 990"
        yield "repr of a pool of 1000", told * 1e3, "ms", 1, ""
        yield "channelz() of 1000 connected", counted, "s", None, "three reads of core each: channel, subchannel, socket"


def lags() -> Iterator[Figure]:
    """Losses that last until somebody asks to connect again; what is over before the next sweep is found by audits."""
    for apart, how in ((0.01, "one by one"), (0.0, "all at once")):
        with FlappingServer(hold=1.0, flaps=500) as server, connected(server, 100, apart=apart) as pool:
            rows = Lag(pool, left=State.READY)
            while server.counts().established < 600:
                pool.health_check()
                time.sleep(0.02)
            bar = 30 if apart else None
            yield f"core's stamp to row, 100 modules {how}, p50", rows.median() * 1e3, "ms", bar, f"{len(rows.seconds)} losses"
    rest = HURRY_FOR + 1.5
    with FlappingServer(hold=None) as server, connected(server, MANY) as pool, FlappingServer(hold=rest, flaps=12) as one:
        pool.register("one", one.address)
        rows = Lag(pool, left=State.READY)
        for _ in range(12):
            pool.wait("one", "READY", timeout=10)
            lost = rows.expect(len(rows.seconds) + 1)
            lost.wait(2 * rest)
        yield (
            "core's stamp to row, 1000 at rest, p50",
            rows.median() * 1e3,
            "ms",
            500,
            f"{len(rows.seconds)} losses, each after {rest} s of rest",
        )


def mass_kill() -> Iterator[Figure]:
    with Lab() as lab:
        module = lab.start("http-module-v1")
        with connected(module, MANY) as pool:
            time.sleep(HURRY_FOR + 1)
            rows = Lag(pool, left=State.READY)
            all_seen = rows.expect(MANY)
            killed = pool.journal.clock.now()
            module.kill()
            all_seen.wait(30)
            took = pool.journal.clock.now() - killed
            yield "mass kill of 1000, all rows there", took / 1e9, "s", 1, f"the last one {max(rows.seconds):.2f} s after core's stamp"


class Lag:
    """How long after gRPC core's stamp each transition came into the journal."""

    def __init__(self, pool: ClientPool, left: State) -> None:
        self.seconds: list[float] = []
        self._clock = pool.journal.clock
        self._left = left
        self._expected = 0
        self._all = threading.Event()
        pool._observer.add_watcher(self._note)

    def _note(self, row: Transition) -> None:
        if row.evidence == "seen" and row.previous is self._left:
            self.seconds.append((self._clock.now() - row.time) / 1e9)
            if len(self.seconds) == self._expected:
                self._all.set()

    def expect(self, count: int) -> threading.Event:
        """Set when that many have come."""
        self._all.clear()
        self._expected = count
        return self._all

    def median(self) -> float:
        return statistics.median(self.seconds)


@contextmanager
def connected(server: FlappingServer | Module, count: int, options: PoolOptions | None = None, apart: float = 0.0) -> Iterator[ClientPool]:
    """A pool with that many READY channels to the server, begun so many seconds apart."""
    with ClientPool(options) as pool:
        for index in range(count):
            pool.register(f"module-{index}", server.address)
            if apart:
                pool.reconnect(f"module-{index}")
                time.sleep(apart)
        pool.health_check()
        for index in range(count):
            pool.wait(f"module-{index}", "READY", timeout=60)
        yield pool


def share_of_a_core(seconds: float) -> float:
    """What this process uses of one core."""
    used, started = sum(os.times()[:2]), time.monotonic()
    time.sleep(seconds)
    return (sum(os.times()[:2]) - used) / (time.monotonic() - started)
