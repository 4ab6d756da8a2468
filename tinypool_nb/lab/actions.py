"""Announces what a person does to the lab (kill, freeze, ...), so that a pool in the same process can mark it on its timelines."""

import logging
import threading
import weakref
from collections.abc import Iterator
from typing import NamedTuple, Protocol

logger = logging.getLogger(__name__)


class Action(NamedTuple):
    """One verb of the lab.

    >>> Action("kill", "http-module-v1", "127.0.0.1:20001")
    Action(verb='kill', name='http-module-v1', address='127.0.0.1:20001')
    """

    verb: str
    """start, kill, stop, freeze, thaw, restart, move or remove; a fault, such as `blackhole`, and `blackhole healed`; the API server has
    some more, such as refuse."""
    name: str
    """The module's name, as in `Lab.start(name)`."""
    address: str
    """Whom it concerns: the module's address, or one replica's; of a move, the one that is left."""


class Listener(Protocol):
    """Whoever wants to hear of actions: put it into `listeners`, which holds it weakly."""

    def lab_acted(self, action: Action) -> None:
        """Hear of one action. It is called in the thread that acts, right before its effect (of a start: right after)."""


class Listeners:
    """Holds listeners weakly. One may be added in the midst of an announcement, by another thread too, which a WeakSet does not stand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._references: tuple[weakref.ref[Listener], ...] = ()

    def add(self, listener: Listener) -> None:
        """Tell this one too, for as long as it lives."""
        with self._lock:
            self._references = (*(known for known in self._references if known() is not None), weakref.ref(listener))

    def discard(self, listener: Listener) -> None:
        """Tell this one no more; quiet if it was not told."""
        with self._lock:
            self._references = tuple(known for known in self._references if known() not in {None, listener})

    def __iter__(self) -> Iterator[Listener]:
        return iter([listener for known in self._references if (listener := known()) is not None])


listeners = Listeners()
"""Who hears of the actions of every lab in this process."""


def announce(action: Action) -> None:
    """Tell every listener; one that raises is dropped and logged, and the action goes on.

    >>> class Diary:
    ...     def lab_acted(self, action):
    ...         print(action.verb, action.name)
    >>> diary = Diary()
    >>> listeners.add(diary)
    >>> announce(Action("freeze", "http-module-v1", "127.0.0.1:20001"))
    freeze http-module-v1
    """
    for listener in listeners:
        try:
            listener.lab_acted(action)
        except Exception:
            listeners.discard(listener)
            logger.exception("%r raised at %s of %r and will hear of no further action", listener, action.verb, action.name)
