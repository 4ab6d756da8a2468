"""What a scrape of 1000 modules costs, and how long it keeps the journal from others."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from types import TracebackType
from urllib.request import Request, urlopen

from prometheus_client import CollectorRegistry, generate_latest

from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Attempt, Call, ChannelIdentity, Evidence, Outcome, Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Journal
from tinypool_nb.metrics.collector import PoolCollector
from tinypool_nb.metrics.operations import Operations
from tinypool_nb.metrics.server import MetricsServer

MODULES = 1000
ROUNDS = 9


def figures() -> Iterator[tuple[str, float, str, float | None, str]]:
    for calls, what in ((False, "1000 modules"), (True, "1000 modules with calls")):
        journal, states = record(calls=calls)
        lock = HeldLock()
        journal._lock = lock  # type: ignore[assignment]
        collector = PoolCollector(journal, states.copy, Operations().read)
        everything = CollectorRegistry()
        everything.register(collector)
        text = generate_latest(everything)
        lines = sum(not line.startswith(b"#") for line in text.splitlines())
        yield f"scrape of {what}, text", milliseconds(partial(generate_latest, everything)), "ms", None, f"{lines:,} samples"
        yield "  its size", len(text) / 1e6, "MB", None, f"{len(gzip.compress(text)) / 1e3:.0f} kB as Prometheus asks for it"
        lock.longest = 0.0
        yield "  the parts of it, without text", milliseconds(partial(consume, collector)), "ms", None, ""
        yield "  the journal's lock, the longest hold", lock.longest * 1e3, "ms", 5, "what an append or a frame may wait"
        server = MetricsServer(collector, port=0)
        yield "  over HTTP, compressed", milliseconds(partial(scrape, server.url)), "ms", None, ""
        server.close()


def record(*, calls: bool) -> tuple[Journal, dict[str, State]]:
    """A journal of modules that were each connected and lost once."""
    journal = Journal()
    states: dict[str, State] = {}
    for number in range(1, MODULES + 1):
        channel = ChannelIdentity(number, ModuleKey("tinysystems", f"http-module-v{number}"), f"http-module-v{number}.tinysystems:50051", 1)
        states[str(channel.key)] = State.READY
        now, previous = journal.clock.now(), None
        for state in (State.IDLE, State.CONNECTING, State.READY, State.IDLE, State.CONNECTING, State.READY):
            journal.append(Transition(now, channel, previous, state, "", Evidence.SEEN))
            previous = state
        journal.append(Attempt(channel, 1, "ipv4:127.0.0.1:50051", now, now, Outcome.READY, "", Evidence.SEEN))
        if calls:
            journal.append(Call(channel, "module.ModuleService/Message", now, now + 1_000_000, Code.OK, 1, 1, ""))
    return journal, states


class HeldLock:
    """A lock that knows how long it was held at the most."""

    def __init__(self) -> None:
        self.longest = 0.0
        """Seconds."""
        self._lock = threading.Lock()
        self._since = 0.0

    def acquire(self, *, blocking: bool = True) -> bool:
        taken = self._lock.acquire(blocking=blocking)
        self._since = time.perf_counter()
        return taken

    def release(self) -> None:
        self.longest = max(self.longest, time.perf_counter() - self._since)
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.release()


def consume(collector: PoolCollector) -> None:
    for _ in collector.collect():
        pass


def scrape(url: str) -> bytes:
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"})) as answer:
        body: bytes = answer.read()
        return body


def milliseconds(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begin) * 1e3)
    return median(taken)
