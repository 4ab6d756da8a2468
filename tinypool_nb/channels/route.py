"""Which channel a module's calls take now, and whether one that was replaced is still held by a call.

A channel that is closed under a call ends it (CANCELLED) or refuses it (ValueError), and registering a method on a
closed channel crashes the process (grpcio 1.85). So nobody may be on the way into a channel when it is closed. Counting
calls in and out would slow each of them; here a call merely *holds* the `Tenure` through which it took the channel.
"""

import os
from collections.abc import Callable
from threading import Lock
from typing import TypeVar
from weakref import WeakKeyDictionary, WeakSet, ref

import grpc

from tinypool_nb.channels.calls import CallLog
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.errors import ForkedPoolError, TinypoolError

Opened = TypeVar("Opened")
Subscriber = Callable[[grpc.ChannelConnectivity], None]
Gate = Callable[[], None]

CLOSED = "Cannot invoke RPC"
"""How gRPC's ValueError begins when a call finds its channel closed. Nothing was sent then, and no request was taken from an iterator."""


class Tenure:
    """One channel's time as its module's current one.

    A call keeps it in a local variable from taking the channel until it has ended or, if it goes on in the background
    (a future, a stream), until gRPC counts it. So once the tenure of a replaced channel has died, no call can start there.
    """

    __slots__ = ("__weakref__", "channel", "gate", "generation", "identity")

    def __init__(self, channel: grpc.Channel, generation: int, identity: ChannelIdentity, gate: Gate | None = None) -> None:
        self.channel = channel
        self.generation = generation
        """Counted by the route, from 1."""
        self.identity = identity
        """What the record calls the channel."""
        self.gate = gate
        """Asked before each call, if there is one: it raises if the call must not reach the channel."""


class Ended:
    """Stands where a tenure stood when there is no current channel any more: who asks for the channel gets the error."""

    generation = -1
    gate = None

    def __init__(self, error: Callable[[], TinypoolError]) -> None:
        self._error = error

    @property
    def channel(self) -> grpc.Channel:
        """Never a channel: raises what the end was for, a new error each time."""
        raise self._error()

    @property
    def identity(self) -> ChannelIdentity:
        """As `channel`."""
        raise self._error()


class Route:
    """Where a module's calls go. Thread-safe; what a call does on it takes no lock."""

    def __init__(self, channel: grpc.Channel, identity: ChannelIdentity, calls: CallLog | None = None) -> None:
        self.current: Tenure | Ended = Tenure(channel, 1, identity)
        self.calls = calls
        """Where calls are written down; None for nowhere."""
        self._lock = Lock()
        self._subscribers: list[tuple[Subscriber, bool]] = []
        self._left: WeakKeyDictionary[grpc.Channel, ref[Tenure]] = WeakKeyDictionary()
        self._process = os.getpid()
        _routes.add(self)

    def open(self, tenure: Tenure | Ended, how: Callable[[grpc.Channel], Opened]) -> Opened:
        """Open something on the tenure's channel, which cannot be replaced, and hence not closed, meanwhile.

        Raises:
            ValueError: the channel was replaced before; gRPC's own words, so that the caller deals with one case.
            TinypoolError: the route has ended.
        """
        channel = tenure.channel
        with self._lock:
            if tenure is not self.current:
                raise ValueError(f"{CLOSED}: the channel was replaced")
            return how(channel)

    def replace(self, channel: grpc.Channel, identity: ChannelIdentity, calls: CallLog | None, gate: Gate | None = None) -> grpc.Channel:
        """Send all further calls to `channel`; subscribers follow. Returns the channel that was current."""
        with self._lock:
            self.calls = calls
            generation = self.current.generation + 1
            old = self._leave()
            self.current = Tenure(channel, generation, identity, gate)
            for subscriber, try_to_connect in self._subscribers:
                channel.subscribe(subscriber, try_to_connect and gate is None)
        return old

    def end(self, error: Callable[[], TinypoolError]) -> grpc.Channel:
        """Refuse all further calls with `error()`. Returns the channel that was current."""
        with self._lock:
            old = self._leave()
            self.current = Ended(error)
            self._subscribers.clear()
        return old

    def is_held(self, channel: grpc.Channel) -> bool:
        """Whether a call is on its way into `channel`, which was current once, or blocks on it."""
        with self._lock:
            tenure = self._left.get(channel)
            return tenure is not None and tenure() is not None

    def subscribe(self, subscriber: Subscriber, *, try_to_connect: bool) -> None:
        """Tell `subscriber` each state of whichever channel is current, as gRPC's `Channel.subscribe` samples them."""
        with self._lock:
            self.current.channel.subscribe(subscriber, try_to_connect and self.current.gate is None)
            self._subscribers.append((subscriber, try_to_connect))

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Undo one `subscribe`; quiet if there is none."""
        with self._lock:
            for place, (known, _) in enumerate(self._subscribers):
                if known == subscriber:
                    del self._subscribers[place]
                    self.current.channel.unsubscribe(subscriber)
                    return

    def end_in_fork(self) -> None:
        """In a fork, where gRPC's threads do not exist: refuse everything. The lock may be held by a thread that is not there."""
        made_in = self._process
        self._lock = Lock()
        self._subscribers = []
        self.current = Ended(lambda: ForkedPoolError(made_in, os.getpid()))

    def _leave(self) -> grpc.Channel:
        """Under the lock: let go of the current channel, and remember its tenure for as long as a call holds it."""
        tenure = self.current
        channel = tenure.channel
        if isinstance(tenure, Tenure):
            self._left[channel] = ref(tenure)
        for subscriber, _ in self._subscribers:
            channel.unsubscribe(subscriber)
        return channel


_routes: WeakSet[Route] = WeakSet()


def _end_all_in_fork() -> None:
    for route in list(_routes):
        route.end_in_fork()


# Told once a fork, a route costs its calls nothing; asking for the process id would cost each of them 0.1 us.
os.register_at_fork(after_in_child=_end_all_in_fork)
