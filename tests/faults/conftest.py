"""What the fault suite shares: a scene with a lab and a pool, what is seen and explained, and that no file descriptor is left."""

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.recovering import unlike_forecast
from tinypool_nb import Backoff, Keepalive, Pool, PoolOptions, SendError, State, WaitTimeoutError
from tinypool_nb.core.diagnosis.causes import Cause
from tinypool_nb.core.diagnosis.findings import Finding
from tinypool_nb.core.events import Evidence
from tinypool_nb.journal.kinds import attempt_events
from tinypool_nb.lab import Lab, Module
from tinypool_nb.views.wording import one_line

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
        """Put what a person sees into the table."""
        self._record("seen", words)

    def explains(self, name: str, cause: Cause, *words: str, now: bool = True, known: Evidence = Evidence.SEEN) -> Finding:
        """The finding of that cause, which `pool.explain` must have, with these words in it; it goes into the table too.

        Args:
            name: the module.
            cause: what must be found.
            words: what the finding must say.
            now: whether it must be so now, or must be over.
            known: whether somebody must have said it, or it follows from what was seen.
        """
        explanation = self.pool.explain(name)
        found = [finding for finding in explanation.findings if finding.cause is cause and finding.now is now]
        assert found, f"no {cause}: {explanation}"
        (finding,) = found
        missing = [word for word in words if word not in finding.text]
        assert not missing, f"{missing} not in: {explanation}"
        assert finding.known is known
        assert finding.evidence
        rows = self._rows(self.pool.findings(), name)
        assert (str(cause), now) in set(zip(rows["cause"], rows["now"], strict=True))  # over all modules the same is found
        past = "" if now else ", past"
        self.explained(f"{cause}{past}{', inferred' if known is Evidence.INFERRED else ''}: {one_line(finding.text)}")
        return finding

    def explained(self, words: str) -> None:
        """Put what was explained into the table."""
        self._record("explained", words)

    def nothing_wrong(self, name: str) -> None:
        """`pool.explain` says that all is well."""
        explanation = self.pool.explain(name)
        assert explanation.diagnosis.verdict == "nothing wrong", explanation
        self.explained(explanation.diagnosis.verdict)

    def health(self, name: str) -> State:
        """What the page's own `health()` says; the frame of the connections says the same."""
        (health,) = (state for key, state in self.pool.health().items() if key == name or key.endswith(f"/{name}"))
        assert [str(state) for state in self._rows(self.pool.connections(), name)["state"]] == [str(health)]
        return health

    def gets(self, name: str, state: State, error: type[SendError], match: str) -> SendError:
        """What a caller gets who sends once and does not wait, while health and frame say that state.

        Args:
            name: the module.
            state: before the call.
            error: what it raises.
            match: a regular expression that is found in its words.
        """
        assert self.health(name) is state
        before = len(self._rows(self.pool.calls(), name))
        with pytest.raises(error, match=match) as raised:
            self.pool.send(name, timeout=PATIENCE)
        told = raised.value
        assert type(told) is error
        assert told.module == name
        rows = self._rows(self.pool.calls(), name)[before:]
        assert list(rows["code"]) == ([told.code] if told.code else [])  # what was not sent is no call
        return told

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

    def until_closed(self, name: str) -> None:
        """Wait until the channel of a module that was unregistered has ended: it drains first."""
        wait(lambda: self.path(name)[-1] == "SHUTDOWN")

    def fails(self, name: str) -> str:
        """Wait for TRANSIENT_FAILURE; the reason in full."""
        self.until(name, "TRANSIENT_FAILURE")
        reasons = self.of(name)["reason"]
        return str(reasons[reasons != ""].iloc[-1])

    def recovers(self, name: str) -> None:
        """The fault is over, and within one backoff window the module is READY and answers; that is the end of every fault.

        Somebody asks it to connect, as the next call would.
        """
        over = self.pool.now()

        def ready() -> bool:
            self.pool.health_check()
            with suppress(WaitTimeoutError):
                self.pool.wait(name, "READY", timeout=0.1)
                return True
            return False

        wait(ready)
        assert self.pool.send(name, wait_for_ready=True, timeout=PATIENCE)
        self.came_back(name, over)
        assert self.health(name) is State.READY
        assert not self.pool.explain(name).diagnosis.broken

    def came_back(self, name: str, over: int) -> None:
        """Each attempt after the fault began in the window that the record forecast, and none of them failed.

        So the wait for the first of them is all that stood between.

        Args:
            name: the module.
            over: when that was, `pool.now()`.
        """
        self.pool.catch_up()
        key = self.pool[name].identity.key
        rows = [row for row in attempt_events(self.pool.journal.since().attempts) if row.channel.key == key]
        current = [row for row in rows if row.channel == rows[-1].channel]  # a channel that was replaced may still try once
        wrong = list(unlike_forecast(current, self.pool.options_of(key).backoff, over))
        assert not wrong, f"{wrong}: {current}"

    def call(self, name: str, **sent: Any) -> Calling:
        """A call that is under way, in its server's hands, when this returns."""
        call = Calling(self.pool, name, **sent)
        wait(lambda: self._under_way(name))
        self.pool.send(name, timeout=PATIENCE)  # what is answered on the same connection was read after it
        return call

    def _under_way(self, name: str) -> bool:
        rows = self._rows(self.pool.sockets(), name)
        return bool(((rows["streams_started"] > rows["streams_succeeded"] + rows["streams_failed"]) & (rows["messages_sent"] > 0)).any())

    def of(self, name: str) -> Any:
        """Its transitions."""
        return self._rows(self.pool.transitions(), name)

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
        return self._rows(self.pool.attempts(), name)

    def summary(self, name: str) -> Any:
        """Its row in the summary."""
        return self._rows(self.pool.summary(), name).iloc[0]

    def _rows(self, frame: Any, name: str) -> Any:
        namespace, _, bare = name.rpartition("/")
        rows = frame[frame["module"] == bare]
        return rows[rows["namespace"] == namespace] if namespace else rows


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
    before = _descriptors()
    yield
    with suppress(AssertionError):
        wait(lambda: len(_descriptors()) <= len(before), 2)
        return
    gc.collect()  # what only a reference cycle keeps is no leak
    with suppress(AssertionError):
        wait(lambda: len(_descriptors()) <= len(before), 5)
        return
    pytest.fail(f"file descriptors were left open: {sorted(_descriptors().items() - before.items())}")


def _descriptors() -> dict[int, str]:
    """Each that is open, and what it leads to."""
    found: dict[int, str] = {}
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 the numbers, not paths
    except FileNotFoundError:  # not Linux
        return dict.fromkeys(range(psutil.Process().num_fds()), "")
    for number in numbers:
        with suppress(OSError):  # that of the listing itself
            found[number] = str(Path(f"/proc/self/fd/{number}").readlink())
    return found


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
