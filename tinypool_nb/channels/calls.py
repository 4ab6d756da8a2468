"""Calls become rows of the record: timed, their bytes counted as gRPC serializes them, their end taken from gRPC's own status.

It costs a call some microseconds and changes nothing about it: the serializers that gRPC is given are the caller's with a counter
around them, and a call that goes on in the background (a future, a stream) is held weakly, so that forgetting it still cancels it.
"""

from collections.abc import Callable
from typing import Any
from weakref import ref

import grpc

from tinypool_nb.core.clock import Clock
from tinypool_nb.core.codes import Code
from tinypool_nb.core.events import Call, ChannelIdentity
from tinypool_nb.core.tracing import clean

LONGEST_REASON = 1_000
"""Characters of a reason that are kept."""
HURRY_AGAIN = 100_000_000
"""Nanoseconds between two hints to the observer, however many calls fail."""

CODES = {code: Code(code.name) for code in grpc.StatusCode}

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class CallLog:
    """Where the calls of a pool's channels go when they end."""

    def __init__(self, append: Callable[[Call], None], clock: Clock, hurry: Callable[[], None]) -> None:
        """`append`: takes each call that has ended. `hurry`: told when a call says that its module is unavailable."""
        self._append = append
        self._hurry = hurry
        self._hurried = 0
        self.now = clock.now

    def write(self, call: Call) -> None:
        """Write down a call that has just ended."""
        if call.code is Code.UNAVAILABLE and call.end - self._hurried > HURRY_AGAIN:
            self._hurried = call.end
            self._hurry()
        self._append(call)


class Meter:
    """Counts the bytes of one call."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0

    def sending(self, serializer: Serializer | None) -> Serializer:
        """The serializer, with each message's bytes counted."""

        def serialize(message: Any) -> bytes:
            serialized = message if serializer is None else serializer(message)
            self.sent += len(serialized)
            return serialized

        return serialize

    def receiving(self, deserializer: Deserializer | None) -> Deserializer:
        """The deserializer, with each message's bytes counted."""

        def deserialize(serialized: bytes) -> Any:
            self.received += len(serialized)
            return serialized if deserializer is None else deserializer(serialized)

        return deserialize


class Recording:
    """One call under way: `answered`, `failed` or `follow` tells its end, once."""

    __slots__ = ("_channel", "_log", "_method", "_start", "meter")

    def __init__(self, log: CallLog, method: str) -> None:
        self._log = log
        self._method = method
        self._start = log.now()
        self.meter = Meter()

    def on(self, channel: ChannelIdentity) -> None:
        """It begins on this channel; said again if that one was closed just then and it begins anew on the next."""
        self._channel = channel
        self.meter.sent = 0

    def answered(self) -> None:
        """It ended well."""
        self._end(Code.OK, "")

    def failed(self, error: BaseException) -> None:
        """It ended with an error of gRPC's, or whoever waited for it was interrupted."""
        if isinstance(error, grpc.Call):
            self._end(CODES[error.code()], error.details() or "")
        else:
            self._end(Code.CANCELLED, f"interrupted by {type(error).__name__}")

    def follow(self, call: Any) -> None:
        """It goes on in the background; `call` is what gRPC gave for it."""
        followed = ref(call)  # gRPC cancels a call that nobody holds any more; its own list of callbacks must not be who does

        def ended() -> None:
            alive = followed()
            if alive is None:
                self._end(Code.CANCELLED, "nobody held it any more")
            else:
                code = CODES[alive.code()]
                self._end(code, "" if code is Code.OK else alive.details() or "")

        if not call.add_callback(ended):
            ended()

    def _end(self, code: Code, reason: str) -> None:
        log, meter = self._log, self.meter
        reason = clean(reason)[:LONGEST_REASON] if reason else ""
        log.write(Call(self._channel, self._method, self._start, log.now(), code, meter.sent, meter.received, reason))
