"""What the fault suite shares: a scene with a lab and a pool, what was seen, and that no file descriptor is left."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tinypool_nb import Backoff, Keepalive, Pool, PoolOptions, WaitTimeoutError
from tinypool_nb.lab import Lab, Module

PATIENCE = 20.0
"""Seconds until something that must come is missed."""
QUICK = Backoff(initial=0.2, maximum=0.5, min_connect_timeout=0.5)
PINGING = Keepalive(time=0.5, timeout=0.5)
OPTIONS = PoolOptions(backoff=QUICK)


def wait(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until it is so; what sends no event is asked."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


class Calling(threading.Thread):
    """A call in the background."""

    def __init__(self, pool: Pool, name: str, **sent: Any) -> None:
        super().__init__(daemon=True)
        self._call: Callable[[], bytes] = lambda: pool.send(name, **sent)
        self.answer: bytes | None = None
        self.error: Exception | None = None
        self.ended = 0.0
        self.start()

    def run(self) -> None:
        """Call."""
        try:
            self.answer = self._call()
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error
        self.ended = time.monotonic()

    def end(self) -> "Calling":
        """Wait for its end."""
        self.join(PATIENCE)
        assert not self.is_alive(), "the call hangs"
        return self


class Scene:
    """A lab, a pool, and what a person sees of them."""

    def __init__(self, lab: Lab, pool: Pool, record: Callable[[str, object], None]) -> None:
        self.lab = lab
        self.pool = pool
        self._record = record

    def saw(self, words: str) -> None:
        """Put it into the table."""
        self._record("seen", words)

    def register(self, module: Module, options: PoolOptions | None = None) -> str:
        """Register a module and ask it to connect; its name."""
        self.pool.register(module.name, module.address, options=options)
        self.pool.health_check()
        return module.name

    def connect(self, module: Module, options: PoolOptions | None = None) -> str:
        """Register a module and wait until it is READY; its name."""
        name = self.register(module, options)
        self.pool.wait(name, "READY", timeout=PATIENCE)
        return name

    def until(self, name: str, state: str) -> None:
        """Wait for a state."""
        self.pool.wait(name, state, timeout=PATIENCE)

    def fails(self, name: str) -> str:
        """Wait for TRANSIENT_FAILURE; the reason in full."""
        self.until(name, "TRANSIENT_FAILURE")
        reasons = self.of(name)["reason"]
        return str(reasons[reasons != ""].iloc[-1])

    def recovers(self, name: str) -> None:
        """It is READY again, at the latest when it is asked, and a call is answered; that is the end of every fault."""

        def ready() -> bool:
            self.pool.health_check()
            with suppress(WaitTimeoutError):
                self.pool.wait(name, "READY", timeout=0.1)
                return True
            return False

        wait(ready)
        assert self.pool.send(name, wait_for_ready=True, timeout=PATIENCE)

    def call(self, name: str, **sent: Any) -> Calling:
        """A call that is under way, in its server's hands, when this returns."""
        call = Calling(self.pool, name, **sent)
        wait(lambda: self._under_way(name))
        self.pool.send(name, timeout=PATIENCE)  # what is answered on the same connection was read after it
        return call

    def _under_way(self, name: str) -> bool:
        rows = self.pool.sockets()
        rows = rows[rows["module"] == name]
        return bool(((rows["streams_started"] > rows["streams_succeeded"] + rows["streams_failed"]) & (rows["messages_sent"] > 0)).any())

    def of(self, name: str) -> Any:
        """Its transitions."""
        rows = self.pool.transitions()
        return rows[rows["module"] == name]

    def path(self, name: str) -> list[str]:
        """The states that it went through."""
        return [str(state) for state in self.of(name)["state"]]

    def after(self, mark: str, name: str, state: str) -> float:
        """Seconds from a mark to the first time that the module was in that state."""
        marks = self.pool.marks()
        begun = marks[marks["text"] == mark]["time"].iloc[-1]
        rows = self.of(name)
        rows = rows[(rows["state"] == state) & (rows["time"] >= begun)]
        return float((rows["time"].iloc[0] - begun).total_seconds())

    def attempts(self, name: str) -> Any:
        """Its attempts."""
        rows = self.pool.attempts()
        return rows[rows["module"] == name]

    def summary(self, name: str) -> Any:
        """Its row in the summary."""
        rows = self.pool.summary()
        return rows[rows["module"] == name].iloc[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The suite as a whole takes its time: `make faults` and `make test-all` run it, `make test` does not."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def _warm() -> None:
    """What gRPC and this package open once and keep is open."""
    with Lab() as lab, Pool(OPTIONS) as pool:
        module = lab.start("warm")
        pool.register("warm", module.address)
        pool.send("warm", wait_for_ready=True, timeout=PATIENCE)
        pool.connections()


@pytest.fixture(autouse=True)
def _no_descriptor_left(_warm: None) -> Iterator[None]:
    """After each test no more file descriptors are open than before."""
    this = psutil.Process()
    before = this.num_fds()
    yield
    with suppress(AssertionError):
        wait(lambda: this.num_fds() <= before, 2)
        return
    gc.collect()
    wait(lambda: this.num_fds() <= before, 5)


@pytest.fixture(autouse=True)
def _numbered(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Tell the table which fault a test is about."""
    marker = request.node.get_closest_marker("fault")
    if marker is not None:
        record_property("fault", marker.args[0])


@pytest.fixture
def scene(record_property: Callable[[str, object], None]) -> Iterator[Scene]:
    with Lab() as lab, Pool(OPTIONS) as pool:
        yield Scene(lab, pool, record_property)
