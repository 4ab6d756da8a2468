"""Calls become rows of the record: timed, their bytes counted as gRPC serializes them, their end taken from gRPC's own status.

It costs a call some microseconds and changes nothing about it: the serializers that gRPC is given are the caller's with a counter
around them, and of a call that goes on in the background (a future, a stream) only the state is held, so that forgetting the call
still cancels it.
"""

import time
from collections.abc import Callable
from typing import Any

import grpc

from tinypool_nb.channels.channelz import CallState, state_of
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity
from tinypool_nb.core.tracing import clean

LONGEST_REASON = 1_000
"""Characters of a reason that are kept."""
HURRY_AGAIN = 100_000_000
"""Nanoseconds between two hints to the observer, however many calls fail."""

SETTLING = 1.0
"""Seconds at most to wait for the threads of gRPC."""

CODES = {code: Code(code.name) for code in grpc.StatusCode}
OK = Code.OK

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class CallLog:
    """Where the calls of a pool's channels go when they end."""

    def __init__(self, append: Callable[[Call], None], clock: Clock, hurry: Callable[[], None]) -> None:
        """`append`: takes each call that has ended. `hurry`: told when a call says that its module is unavailable."""
        self.append = append
        self.epoch, self.monotonic = clock
        """The record's clock in two parts, since a call may not wait for a function of ours where one of Python's own does."""
        self._hurry = hurry
        self._hurried = 0
        self._background: dict[int, CallState] = {}
        """Of each call that goes on, by its counters."""

    # `start` is always on the monotonic clock, nanoseconds.

    def fail(self, counted: "Counted", method: str, start: int, error: BaseException) -> None:
        """Write down a call that ended with an error of gRPC's, or whose caller was interrupted while it waited."""
        if isinstance(error, grpc.Call):
            self.end(counted, method, start, CODES[error.code()], error.details())
        else:
            self.end(counted, method, start, Code.CANCELLED, f"interrupted by {type(error).__name__}")

    def follow(self, counted: "Counted", method: str, start: int, call: Any, free: Callable[["Counted"], object]) -> None:
        """Write down a call that goes on in the background, as `call`, when it ends; then tell `free` that its counters are free."""
        # The state of the call and not the call itself, which gRPC cancels when nobody holds it any more: its own list of callbacks
        # must not be who does. And who had the result may have let go of the call before we are told.
        state = state_of(call)
        background, key = self._background, id(counted)

        def ended() -> None:  # in gRPC's thread, while who waits for the call waits for this too: each step counts
            if (code := state.code) is grpc.StatusCode.OK:
                epoch, end = self.epoch, self.monotonic()
                self.append(Call(counted.channel, method, epoch + start, epoch + end, OK, counted.sent, counted.received, ""))
            else:
                self.end(counted, method, start, CODES[code], told(state.details))
            background.pop(key, None)
            free(counted)

        background[key] = state
        if not call.add_callback(ended):
            ended()

    def settle(self) -> None:
        """Return when each call that has ended is written down.

        gRPC first wakes who waits for a call in the background and then tells us, in a thread of its own; so whoever had the result
        and asks for the record at once might be too early.
        """
        by = time.monotonic() + SETTLING
        for key, state in self._background.copy().items():
            while state.code is not None and self._background.get(key) is state and time.monotonic() < by:
                time.sleep(0.0002)

    def end(self, counted: "Counted", method: str, start: int, code: Code, details: str | None) -> None:
        """Write down a call that has just ended."""
        end = self.epoch + self.monotonic()
        reason = clean(details)[:LONGEST_REASON] if details else ""
        if code is Code.UNAVAILABLE and end - self._hurried > HURRY_AGAIN:
            self._hurried = end
            self._hurry()
        self.append(Call(counted.channel, method, self.epoch + start, end, code, counted.sent, counted.received, reason))


def told(details: str | bytes | None) -> str:
    """What gRPC's state of a call says of its end, which it keeps as it came."""
    return details.decode(errors="replace") if isinstance(details, bytes) else details or ""


class Counted:
    """A multicallable of one channel whose serializers count bytes, for one call at a time."""

    __slots__ = ("channel", "generation", "multicallable", "received", "sent")

    def __init__(self, channel: ChannelIdentity, generation: int) -> None:
        self.channel = channel
        """What the record calls the channel."""
        self.generation = generation
        """Of the route's tenure."""
        self.multicallable: Any = None
        self.sent = 0
        self.received = 0

    def serializing(self, serializer: Serializer | None) -> Serializer:
        """The serializer, with each message's bytes counted."""

        def serialize(message: Any) -> bytes:
            serialized = message if serializer is None else serializer(message)
            self.sent += len(serialized)
            return serialized

        return serialize

    def deserializing(self, deserializer: Deserializer | None) -> Deserializer:
        """The deserializer, with each message's bytes counted."""

        def deserialize(serialized: bytes) -> Any:
            self.received += len(serialized)
            return serialized if deserializer is None else deserializer(serialized)

        return deserialize
