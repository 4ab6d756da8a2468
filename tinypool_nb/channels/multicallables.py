"""The four kinds of calls through a route: each takes the module's current channel at the moment it is made."""
# ruff: noqa: FBT001, PLR0917  the signatures are gRPC's

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from tinypool_nb.channels.calls import Deserializer, Recording, Serializer
from tinypool_nb.channels.route import CLOSED, Ended, Route, Tenure

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


class Method(NamedTuple):
    """What a stub says of one of its methods. Any, since the type stubs do not know what generated code passes."""

    kind: str
    """The method of grpc.Channel that makes its multicallable, such as `unary_unary`."""
    name: str
    """`/package.Service/Method`."""
    serializer: Serializer | None
    deserializer: Deserializer | None
    registered: bool | None

    def open(self, channel: Any) -> Any:
        """Its multicallable on one channel."""
        return getattr(channel, self.kind)(self.name, self.serializer, self.deserializer, self.registered)


class Routed:
    """What the four share: the multicallable of the current channel.

    It is made at the first call on it and kept until the next channel; each call that is recorded has one of its own, which counts
    its bytes.
    """

    background = frozenset({"future"})
    """The verbs that return while the call goes on."""

    def __init__(self, route: Route, method: Method) -> None:
        self._route = route
        self._method = method
        self._name = method.name.removeprefix("/")
        # Generation and multicallable, in one tuple: no thread may see the one of this channel with the other of that.
        self._opened: tuple[int, Any] = (0, None)

    def _call(self, verb: str, *call: Any) -> Any:
        """Make the call, and write it down."""
        calls = self._route.calls
        if calls is None:
            return self._begin(self._kept, verb, call)
        recording = Recording(calls, self._name)
        meter = recording.meter
        method = self._method._replace(
            serializer=meter.sending(self._method.serializer), deserializer=meter.receiving(self._method.deserializer)
        )

        def opened(tenure: Tenure | Ended) -> Any:
            recording.on(tenure.identity)
            return self._route.open(tenure, method.open)

        try:
            result = self._begin(opened, verb, call)
        except (grpc.RpcError, KeyboardInterrupt) as error:
            recording.failed(error)
            raise
        if verb in self.background:
            recording.follow(result)
        else:
            recording.answered()
        return result

    def _begin(self, opened: Callable[[Tenure | Ended], Any], verb: str, call: tuple[Any, ...]) -> Any:
        """Make the call; again, if the channel was replaced and closed between our taking it and the call's start."""
        while True:
            tenure = self._route.current  # held until the call has ended or is under way: see Tenure
            try:
                return getattr(opened(tenure), verb)(*call)
            except ValueError as error:
                if tenure is self._route.current or not str(error).startswith(CLOSED):
                    raise
            finally:
                del tenure  # else the traceback of a failed call would hold it, in a notebook until the next error

    def _kept(self, tenure: Tenure | Ended) -> Any:
        generation, opened = self._opened
        if generation != tenure.generation:
            opened = self._route.open(tenure, self._method.open)
            self._opened = (tenure.generation, opened)
        return opened


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
