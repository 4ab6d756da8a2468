"""Waiting for a module to reach a state, in a thread or in a coroutine, without polling."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tinypool_nb.channels.observer import Observer
from tinypool_nb.core.events import Transition
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State


class Question(NamedTuple):
    """What is waited for."""

    key: ModuleKey
    wanted: State
    number: int
    """Of the module's channel when it was asked; what older ones still do, while they drain, does not count."""
    is_now: Callable[[], bool]
    """Whether the module is in that state."""
    is_registered: Callable[[], bool]
    connect: Callable[[], object]
    """Asks the module to connect, if it is idle."""
    began: int
    """When it was asked, nanoseconds on the record's clock."""


class Sighting:
    """What has been seen of the module since the question was asked."""

    def __init__(self, question: Question, wake: Callable[[], None]) -> None:
        self.came = False
        """The module was in the state, be it for a moment only."""
        self.gone = False
        """The module was unregistered meanwhile."""
        self.reason = ""
        """The last failure."""
        self._question = question
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
            self.came = self.came or transition.time >= question.began or question.is_now()
        self.gone = self.gone or (transition.state is State.SHUTDOWN and not question.is_registered())
        if self.came or self.gone:
            self._wake()
        elif transition.state is State.IDLE and question.wanted is State.READY:
            question.connect()

    def is_settled(self, begin: Callable[[], bool]) -> bool:
        """Whether there is nothing to wait for, now that the watch stands."""
        if begin():
            self.came = True
        elif not self._question.is_registered():
            self.gone = True
        return self.came or self.gone


@contextmanager
def _watching(observer: Observer, sighting: Sighting) -> Iterator[None]:
    observer.add_watcher(sighting)
    observer.hurry()
    try:
        yield
    finally:
        observer.remove_watcher(sighting)


def wait(observer: Observer, question: Question, begin: Callable[[], bool], timeout: float | None) -> Sighting:
    """Block until the module has been in the state, or was unregistered, or `timeout` seconds are over.

    `begin` is called once the watch stands; it says whether the record ends in that state already.
    """
    event = threading.Event()
    sighting = Sighting(question, event.set)
    with _watching(observer, sighting):
        if not sighting.is_settled(begin):
            event.wait(timeout)
    return sighting


async def until(observer: Observer, question: Question, begin: Callable[[], bool], timeout: float | None) -> Sighting:
    """As `wait`, for a coroutine: the event loop, and with it every click in a notebook, goes on meanwhile."""
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    sighting = Sighting(question, lambda: _tell(loop, event))
    with _watching(observer, sighting):
        if not sighting.is_settled(begin):
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), timeout)
    return sighting


def _tell(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(event.set)
