"""Waiting for a module to reach a state, in a thread or in a coroutine, without polling."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tinypool_nb.channels.current import CurrentStates
from tinypool_nb.channels.modules import Modules
from tinypool_nb.channels.observer import Observer
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.events import Transition
from tinypool_nb.core.keys import ModuleKey, unknown
from tinypool_nb.core.states import State
from tinypool_nb.errors import OptionsError, PoolClosedError, WaitTimeoutError


class Question(NamedTuple):
    """What is waited for."""

    key: ModuleKey
    wanted: State
    number: int
    """Of the module's channel when it was asked; what older ones still do, while they drain, does not count."""
    began: int
    """When it was asked, nanoseconds on the record's clock."""


class Waiting:
    """Asks of modules, and hears of them from the observer."""

    def __init__(self, modules: Modules, observer: Observer, current: CurrentStates, clock: Clock) -> None:
        self._modules = modules
        self._observer = observer
        self._current = current
        self._clock = clock

    def ask(self, verb: str, name: str | ModuleKey, state: State | str) -> Question:
        """Begin to ask, for a `verb` that a closed pool refuses."""
        if self._modules.is_closed:
            raise PoolClosedError(verb)
        key, wanted = self._modules.need(name), _state(state)
        watched = self._modules.channel(key)
        if watched is None:  # it was unregistered in between
            raise unknown(self._modules.keys(), name)
        return Question(key, wanted, watched.identity.number, self._clock.now())

    def wait(self, name: str | ModuleKey, state: State | str, timeout: float | None) -> None:
        """Block until the module has been in the state.

        Raises:
            WaitTimeoutError, UnknownModuleError, AmbiguousModuleError, OptionsError, PoolClosedError
        """
        self.settle(self.ask("wait", name, state), timeout)

    def settle(self, question: Question, timeout: float | None) -> None:
        """Block until what was asked is answered."""
        event = threading.Event()
        sighting = Sighting(question, self, event.set)
        with self._watching(sighting):
            if not sighting.is_settled():
                event.wait(timeout)
        self._judge(sighting, question, timeout)

    async def until(self, name: str | ModuleKey, state: State | str, timeout: float | None) -> None:
        """As `wait`, for a coroutine: the event loop, and with it every click in a notebook, goes on meanwhile."""
        question = self.ask("until", name, state)
        loop = asyncio.get_running_loop()
        event = asyncio.Event()
        sighting = Sighting(question, self, lambda: _tell(loop, event))
        with self._watching(sighting):
            if not sighting.is_settled():
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), timeout)
        self._judge(sighting, question, timeout)

    def state(self, key: ModuleKey, *, connect: bool = False) -> State:
        """In which state the module is now, by gRPC core; with `connect` an idle one is asked to."""
        watched = self._modules.channel(key)
        return State.SHUTDOWN if watched is None else watched.look(connect=connect)

    def is_registered(self, key: ModuleKey) -> bool:
        """Whether it still is."""
        return self._modules.channel(key) is not None

    def is_recorded(self, key: ModuleKey, state: State) -> bool:
        """Whether the observer knows it in that state."""
        return self._current.get(str(key)) is state

    @contextmanager
    def _watching(self, sighting: "Sighting") -> Iterator[None]:
        self._observer.add_watcher(sighting)
        self._observer.hurry()
        try:
            yield
        finally:
            self._observer.remove_watcher(sighting)

    def _judge(self, sighting: "Sighting", question: Question, timeout: float | None) -> None:
        if sighting.came:
            return
        if self._modules.is_closed:
            raise PoolClosedError("wait")
        watched = self._modules.channel(question.key)
        if sighting.gone or watched is None:
            raise unknown(self._modules.keys(), question.key)
        reason = sighting.reason or watched.last_reason
        raise WaitTimeoutError(str(question.key), question.wanted, timeout or 0.0, self.state(question.key), reason)


class Sighting:
    """What has been seen of the module since the question was asked."""

    def __init__(self, question: Question, waiting: Waiting, wake: Callable[[], None]) -> None:
        self.came = False
        """The module was in the state, be it for a moment only."""
        self.gone = False
        """The module was unregistered meanwhile."""
        self.reason = ""
        """The last failure."""
        self._question = question
        self._waiting = waiting
        self._number = question.number
        self._wake = wake

    def __call__(self, transition: Transition) -> None:
        """Told by the observer, in its thread."""
        question = self._question
        if transition.channel.key != question.key or transition.channel.number < self._number:
            return
        self._number = transition.channel.number
        self.reason = transition.reason or self.reason
        if transition.state is question.wanted:
            # What is told now may have happened before the question, and may be over.
            self.came = self.came or transition.time >= question.began or self._waiting.state(question.key) is question.wanted
        self.gone = self.gone or (transition.state is State.SHUTDOWN and not self._waiting.is_registered(question.key))
        if self.came or self.gone:
            self._wake()
        elif transition.state is State.IDLE and question.wanted is State.READY:
            self._waiting.state(question.key, connect=True)

    def is_settled(self) -> bool:
        """Whether there is nothing to wait for, now that the watch stands: the module is in the state and the record ends in it, or gone.

        Where READY is wanted, an idle module is asked to connect.
        """
        key, wanted = self._question.key, self._question.wanted
        now = self._waiting.state(key, connect=wanted is State.READY)
        if now is wanted and self._waiting.is_recorded(key, wanted):
            self.came = True
        elif not self._waiting.is_registered(key):
            self.gone = True
        return self.came or self.gone


def _state(state: State | str) -> State:
    try:
        return State(state)
    except ValueError:
        raise OptionsError("state", state, f"one of {', '.join(State)}") from None


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(event.set)
