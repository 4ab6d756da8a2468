"""The four kinds of calls through a route: each takes the module's current channel at the moment it is made."""
# ruff: noqa: FBT001, PLR0917  the signatures are gRPC's

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from tinypool_nb.channels.calls import OK, CallLog, Counted, Deserializer, Serializer
from tinypool_nb.channels.route import CLOSED, Ended, Route, Tenure
from tinypool_nb.core.events import Call

if TYPE_CHECKING:  # generic in the type stubs, plain at run time
    UnaryUnary = grpc.UnaryUnaryMultiCallable[Any, Any]
    UnaryStream = grpc.UnaryStreamMultiCallable[Any, Any]
    StreamUnary = grpc.StreamUnaryMultiCallable[Any, Any]
    StreamStream = grpc.StreamStreamMultiCallable[Any, Any]
else:
    UnaryUnary = grpc.UnaryUnaryMultiCallable
    UnaryStream = grpc.UnaryStreamMultiCallable
    StreamUnary = grpc.StreamUnaryMultiCallable
    StreamStream = grpc.StreamStreamMultiCallable

Metadata = tuple[tuple[str, str | bytes], ...]
FREE = 64
"""Multicallables of ended calls that one method of a stub keeps for the next ones."""


class Method(NamedTuple):
    """What a stub says of one of its methods."""

    kind: str
    """The method of grpc.Channel that makes its multicallable, such as `unary_unary`."""
    name: str
    """`/package.Service/Method`."""
    serializer: Serializer | None
    deserializer: Deserializer | None
    registered: bool | None

    def open(self, channel: Any) -> Any:
        """Its multicallable on one channel. Any, since the type stubs do not know what generated code passes."""
        return getattr(channel, self.kind)(self.name, self.serializer, self.deserializer, self.registered)


class Routed:
    """What the four share: the multicallable of the current channel, made at the first call on it and kept until the next channel.

    Of calls that are recorded each has one of its own for as long as it lasts, so that its bytes can be told from those of others.
    """

    background = frozenset({"future"})
    """The verbs that return while the call goes on."""

    def __init__(self, route: Route, method: Method) -> None:
        self._route = route
        self._method = method
        self._name = method.name.removeprefix("/")
        self._is_unary = method.kind.startswith("unary")
        # Generation and multicallable, in one tuple: no thread may see the one of this channel with the other of that.
        self._opened: tuple[int, Any] = (0, None)
        self._free: deque[Counted] = deque(maxlen=FREE)

    def _call(self, verb: str, *call: Any) -> Any:
        """Make the call; again, if the channel was replaced and closed between our taking it and the call's start."""
        log = self._route.calls
        if log is not None:
            return self._recorded(log, verb, call)
        while True:
            tenure = self._route.current  # held until the call has ended or is under way: see Tenure
            try:
                if tenure.gate is not None:
                    tenure.gate()
                generation, opened = self._opened
                if generation != tenure.generation:
                    opened = self._route.open(tenure, self._method.open)
                    self._opened = (tenure.generation, opened)
                return getattr(opened, verb)(*call)
            except ValueError as error:
                if tenure is self._route.current or not str(error).startswith(CLOSED):
                    raise
            finally:
                del tenure  # else the traceback of a failed call would hold it, in a notebook until the next error

    def _recorded(self, log: CallLog, verb: str, call: tuple[Any, ...]) -> Any:
        """As `_call`, and write it down. What is done here is done in the midst of a call, with cold caches: each step counts."""
        start = log.monotonic()
        free = self._free
        while True:
            tenure = self._route.current
            counted: Counted | None = None
            try:
                if tenure.gate is not None:
                    tenure.gate()
                try:
                    counted = free.pop()
                except IndexError:
                    counted = self._counted(tenure)
                if counted.generation != tenure.generation:
                    free.clear()  # all of them are of a channel that was replaced
                    counted = None  # an interruption that comes now is the end of no call
                    counted = self._counted(tenure)
                result = getattr(counted.multicallable, verb)(*call)
            except ValueError as error:
                if tenure is self._route.current or not str(error).startswith(CLOSED):
                    raise
            except BaseException as error:
                self._fail(log, counted, start, error)
                raise
            else:
                break
            finally:
                del tenure
        if verb in self.background:
            log.follow(counted, self._name, start, result, self._give_back)
        else:
            epoch, end = log.epoch, log.monotonic()
            log.append(Call(counted.channel, self._name, epoch + start, epoch + end, OK, counted.sent, counted.received, ""))
            self._give_back(counted)
        return result

    def _fail(self, log: CallLog, counted: Counted | None, start: int, error: BaseException) -> None:
        """Write down a call that ended so, if one began: what is held, or gone, takes none."""
        if counted is not None and _ends_a_call(error):
            log.fail(counted, self._name, start, error)

    def _counted(self, tenure: Tenure | Ended) -> Counted:
        """A new multicallable on the tenure's channel, with counters around its serializers."""
        counted = Counted(tenure.identity, tenure.generation)
        kind, name, serializer, deserializer, registered = self._method
        method = Method(kind, name, counted.serializing(serializer), counted.deserializing(deserializer), registered)
        counted.multicallable = self._route.open(tenure, method.open)
        return counted

    def _give_back(self, counted: Counted) -> None:
        """Keep it for the next call."""
        # Not after a stream of requests: its thread may still serialize one when the call has ended, and would count it for another call.
        if self._is_unary:
            counted.sent = counted.received = 0
            self._free.append(counted)


def _ends_a_call(error: BaseException) -> bool:
    """Whether it comes from the call's end, or from outside while its caller waited; else gRPC refused an argument, and no call began."""
    return isinstance(error, grpc.RpcError | TimeoutError) or not isinstance(error, Exception)


class RoutedUnaryUnary(Routed, UnaryUnary):
    """One request, one response."""

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call and wait for the response. As `grpc.UnaryUnaryMultiCallable`."""
        return self._call("__call__", request, timeout, metadata, credentials, wait_for_ready, compression)

    def with_call(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call and wait for (response, grpc.Call)."""
        return self._call("with_call", request, timeout, metadata, credentials, wait_for_ready, compression)

    def future(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call without waiting: an object that is a grpc.Future and a grpc.Call."""
        return self._call("future", request, timeout, metadata, credentials, wait_for_ready, compression)


class RoutedUnaryStream(Routed, UnaryStream):
    """One request, a stream of responses."""

    background = frozenset({"__call__"})

    def __call__(
        self,
        request: Any,
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call: an iterator of responses that is a grpc.Call."""
        return self._call("__call__", request, timeout, metadata, credentials, wait_for_ready, compression)


class RoutedStreamUnary(Routed, StreamUnary):
    """A stream of requests, one response."""

    def __call__(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call and wait for the response."""
        return self._call("__call__", request_iterator, timeout, metadata, credentials, wait_for_ready, compression)

    def with_call(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call and wait for (response, grpc.Call)."""
        return self._call("with_call", request_iterator, timeout, metadata, credentials, wait_for_ready, compression)

    def future(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call without waiting: an object that is a grpc.Future and a grpc.Call."""
        return self._call("future", request_iterator, timeout, metadata, credentials, wait_for_ready, compression)


class RoutedStreamStream(Routed, StreamStream):
    """A stream of requests, a stream of responses."""

    background = frozenset({"__call__"})

    def __call__(
        self,
        request_iterator: Iterator[Any],
        timeout: float | None = None,
        metadata: Metadata | None = None,
        credentials: grpc.CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: grpc.Compression | None = None,
    ) -> Any:
        """Call: an iterator of responses that is a grpc.Call."""
        return self._call("__call__", request_iterator, timeout, metadata, credentials, wait_for_ready, compression)
