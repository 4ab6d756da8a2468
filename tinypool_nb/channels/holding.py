"""Holding a module: nothing is attempted until somebody asks, and then exactly one attempt a resolved address.

gRPC has no such mode. What comes closest, and is used here: a fresh channel whose backoff is an hour makes one attempt an address, and
then none. The rest has to be kept from it: a call or a subscriber would make an IDLE channel connect (so the face asks a gate), a name
that does not resolve is asked for again after a second, and the hour is the attempt's own deadline too (so such a channel is put away).
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.observer import Observer
from tinypool_nb.channels.watched import Watched
from tinypool_nb.core.backoff import rung
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.decisions import Command, PutAway, Release, Tell, TryOnce
from tinypool_nb.core.events import Outcome, Transition
from tinypool_nb.core.keys import ModuleKey, unknown
from tinypool_nb.core.options import check_period
from tinypool_nb.core.phases import AttemptReport, PhaseName, Story, report
from tinypool_nb.core.plain import one_line
from tinypool_nb.core.states import State
from tinypool_nb.errors import PoolClosedError

LEEWAY = 2.0
"""Seconds that an attempt gets beyond its own deadline, for the resolving of the name before it."""


class Hold:
    """A module that is held. `pool.hold(name)` makes it; as a context manager it releases the module at the end.

    While it is held, calls go through only while the module is READY; else they raise HeldError, calls that would wait included.
    `health_check`, `wait` and subscribers do not make it connect. `reconnect` makes one attempt, as `attempt` does. A lost connection stays
    lost. The module is tried as with pick_first: its addresses in turn, until one is READY. To register it at another address keeps the
    hold; to unregister it, or to close the pool, ends it. It does not keep the pool alive.

    Example:
        with pool.hold("http-module-v1") as hold:
            print(hold.attempt())     # exactly one, with its phases

    Source: grpc/grpc `doc/connection-backoff.md`, which gives the window in which the next attempt would have come.
    """

    def __init__(self, key: ModuleKey, modules: Modules, observer: Observer, clock: Clock, carry_out: Callable[[Command], Tell]) -> None:
        self.key = key
        """The module's namespace and name."""
        self.reports: list[AttemptReport] = []
        """Of all attempts made through this object."""
        self._modules = modules
        self._observer = observer
        self._clock = clock
        self._carry_out = carry_out
        self._attempting = threading.Lock()
        self._failures = 0

    @property
    def is_held(self) -> bool:
        """Whether the module is (still, or again) held."""
        watched = self._modules.channel(self.key)
        return watched is not None and watched.held

    def attempt(self, timeout: float | None = None) -> AttemptReport:
        """Make exactly one attempt a resolved address, now, on a fresh channel; return when it is READY or has failed.

        Of several addresses the first that is READY ends it. A connection that stands is replaced; calls under way on it end well.

        Args:
            timeout: seconds after which it is given up; None for the module's own deadline of an attempt: its backoff, but at least
                `min_connect_timeout`.

        Raises:
            NotHeldError: the module was released.
            UnknownModuleError: it was unregistered.
            PoolClosedError, OptionsError
        """
        if timeout is not None:
            check_period("timeout", timeout)
        with self._attempting:
            told = self._attempt(timeout)
            self._failures = 0 if told.outcome is Outcome.READY else self._failures + 1
            self.reports.append(told)
            return told

    def release(self) -> None:
        """Give the module its normal channel back, with its own settings, and ask it to connect. Quiet if it is not held."""
        with suppress(PoolClosedError):  # nobody holds the pool any more
            if not self._modules.is_closed:
                self._carry_out(Release(self.key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.release()

    def __repr__(self) -> str:
        last = f"; last: {self.reports[-1]!r}" if self.reports else ""
        return f"<Hold of {one_line(self.key)}: {'held' if self.is_held else 'over'}{last}>"

    def _attempt(self, timeout: float | None) -> AttemptReport:
        if self._modules.channel(self.key) is None and not self._modules.is_closed:
            raise unknown(self._modules.keys(), str(self.key))
        ending = Ending(self.key)
        self._observer.add_watcher(ending)
        try:
            asked = self._clock.now()
            self._carry_out(TryOnce(self.key))
            watched = self._modules.channel(self.key)
            if watched is None or not watched.held:  # another thread was quicker
                raise unknown(self._modules.keys(), str(self.key))
            backoff, number = watched.options.backoff, self._failures + 1
            limit = max(backoff.min_connect_timeout, rung(number, backoff).longest) + LEEWAY if timeout is None else timeout
            over = ending.wait(watched.identity.number, limit)
        finally:
            self._observer.remove_watcher(ending)
        self._observer.catch_up_with(watched)
        story = watched.story or Story()
        if over:
            return self._told(watched, story, number, asked)
        why = f"it had no end within {limit:g} s"
        self._carry_out(PutAway(self.key, watched.identity.generation, f"given up: {why}"))
        return report(watched.identity, story, backoff, attempt=number, asked=asked, ended=self._clock.now(), why=why)

    def _told(self, watched: Watched, story: Story, number: int, asked: int) -> AttemptReport:
        backoff = watched.options.backoff
        if not any(phase.name in {PhaseName.READY, PhaseName.FAILED} for phase in story.phases()):
            why = "its channel was taken away meanwhile"
            return report(watched.identity, story, backoff, attempt=number, asked=asked, ended=self._clock.now(), why=why)
        if not story.subchannels:
            why = "put away, since gRPC would ask for the name again by itself"
            self._carry_out(PutAway(self.key, watched.identity.generation, why))
        return report(watched.identity, story, backoff, attempt=number, asked=asked)


class Ending:
    """Waits for the end of an attempt: told by the observer, in its thread."""

    def __init__(self, key: ModuleKey) -> None:
        self._key = key
        self._ends: set[int] = set()
        self._news = threading.Condition()

    def __call__(self, transition: Transition) -> None:
        """Hear of one transition."""
        if transition.channel.key == self._key and transition.state in {State.READY, State.TRANSIENT_FAILURE, State.SHUTDOWN}:
            with self._news:
                self._ends.add(transition.channel.number)
                self._news.notify_all()

    def wait(self, number: int, timeout: float) -> bool:
        """Whether the attempt of the channel of that number ended within `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: number in self._ends, timeout)
