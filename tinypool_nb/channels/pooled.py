"""The channel that `pool.get` gives out: valid for a module's life, whatever becomes of the connection under it."""
# ruff: noqa: FBT001  the signatures are gRPC's

from collections.abc import Callable
from types import TracebackType
from typing import Self

import grpc

from tinypool_nb.channels.calls import CallLog, Deserializer, Serializer
from tinypool_nb.channels.multicallables import (
    Method,
    RoutedStreamStream,
    RoutedStreamUnary,
    RoutedUnaryStream,
    RoutedUnaryUnary,
    StreamStream,
    StreamUnary,
    UnaryStream,
    UnaryUnary,
)
from tinypool_nb.channels.route import Gate, Route, Subscriber
from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.plain import one_line
from tinypool_nb.errors import ModuleGoneError, SharedChannelError, TinypoolError


class PooledChannel(grpc.Channel):
    """A `grpc.Channel` that sends each call through whichever channel its module has at that moment.

    Generated stubs, `grpc.intercept_channel` and `grpc.channel_ready_future` work on it as on any channel. Stubs made once go on
    working after a reconnection and after a change of address; a call under way stays on the channel on which it began.
    A call costs less than a microsecond more than on the bare channel, and some microseconds more if it is recorded.

    It is shared by all who got it. Leaving a `with` block therefore closes nothing, and `close()` raises: a module's
    connection ends with `pool.unregister(name)`.

    Args:
        identity: what the record calls the first channel: module, address, generation.
        channel: that channel.
        calls: where calls are written down; None for nowhere.
        state: tells the channel's state, or None if it is unknown, for `repr`; it should not keep the pool alive.

    Raises (each call, once it applies):
        ModuleGoneError: the module was unregistered, or the pool closed.
        HeldError: the module is held and not READY (`pool.hold`), whether the call would have waited or not.
        ForkedPoolError: the process is a fork of the one that made the channel.

    Example:
        >>> from tinypool_nb.core.keys import ModuleKey
        >>> bare = grpc.insecure_channel("dns:///localhost:50051")
        >>> channel = PooledChannel(ChannelIdentity(1, ModuleKey(None, "http-module-v1"), "localhost:50051", 1), bare)
        >>> channel
        <PooledChannel http-module-v1 at localhost:50051, generation 1>
        >>> send = channel.unary_unary("/module.ModuleService/Send")
        >>> channel.retire("it was unregistered").close()
        >>> send(b"")
        Traceback (most recent call last):
        tinypool_nb.errors.ModuleGoneError: module 'http-module-v1' cannot be called any more: it was unregistered; ...

    Source: the page's Get and Share Connections.
    """

    def __init__(
        self,
        identity: ChannelIdentity,
        channel: grpc.Channel,
        *,
        calls: CallLog | None = None,
        state: Callable[[], object] | None = None,
    ) -> None:
        self._identity = identity
        self._route = Route(channel, identity, calls)
        self._state = state
        self._gone = ""
        self.line: object | None = None
        """For the pool's sender: what it keeps with this channel."""

    # For everybody: the interface of grpc.Channel. Generated code says `_registered_method`, which must reach the channel below.

    def unary_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = None,
    ) -> UnaryUnary:
        """A callable for a method with one request and one response."""
        what = Method("unary_unary", method, request_serializer, response_deserializer, _registered_method)
        return RoutedUnaryUnary(self._route, what)

    def unary_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = None,
    ) -> UnaryStream:
        """A callable for a method with one request and a stream of responses."""
        what = Method("unary_stream", method, request_serializer, response_deserializer, _registered_method)
        return RoutedUnaryStream(self._route, what)

    def stream_unary(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = None,
    ) -> StreamUnary:
        """A callable for a method with a stream of requests and one response."""
        what = Method("stream_unary", method, request_serializer, response_deserializer, _registered_method)
        return RoutedStreamUnary(self._route, what)

    def stream_stream(
        self,
        method: str,
        request_serializer: Serializer | None = None,
        response_deserializer: Deserializer | None = None,
        _registered_method: bool | None = None,
    ) -> StreamStream:
        """A callable for a method with a stream of requests and a stream of responses."""
        what = Method("stream_stream", method, request_serializer, response_deserializer, _registered_method)
        return RoutedStreamStream(self._route, what)

    def subscribe(self, callback: Subscriber, try_to_connect: bool | None = None) -> None:
        """Call `callback(grpc.ChannelConnectivity)` with the state now and as it changes, on the module's later channels too.

        gRPC samples: some changes are missed, and the subscribed channel costs a thread. `pool.transitions()` misses
        none and costs no thread. When the module goes, the callbacks end.
        """
        self._route.subscribe(callback, try_to_connect=bool(try_to_connect))

    def unsubscribe(self, callback: Subscriber) -> None:
        """Undo `subscribe(callback)`; quiet if there was none."""
        self._route.unsubscribe(callback)

    def close(self) -> None:
        """Refuse, since others use this channel too.

        Raises:
            SharedChannelError: always; it says how a module's connection is ended.
        """
        raise SharedChannelError(str(self._identity.key))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Leave the block: this user is done, the channel stays."""

    def __repr__(self) -> str:
        key, address, generation = one_line(self._identity.key), *self._identity[2:4]
        if self._gone:
            return f"<PooledChannel {key} at {address}, gone: {self._gone}>"
        state = None if self._state is None else self._state()
        return f"<PooledChannel {key} at {address}, generation {generation}{'' if state is None else f', {state}'}>"

    @property
    def identity(self) -> ChannelIdentity:
        """What the record calls the current channel, or the last one there was: module, address, generation, transport."""
        return self._identity

    # For the pool, which owns the channels: it closes one only after `replace` or `retire` has returned it.

    def replace(
        self, channel: grpc.Channel, identity: ChannelIdentity, calls: CallLog | None = None, gate: Gate | None = None
    ) -> grpc.Channel:
        """For the pool: send all further calls and subscriptions to `channel`.

        Args:
            channel: the module's next channel.
            identity: what the record calls it.
            calls: where its calls are written down; None for nowhere.
            gate: asked before each call; it raises if the call must not reach the channel. Subscribers then do not make it connect either.

        Returns:
            The channel that was current. Calls may be under way on it, and on their way into it: see `is_held`.

        Raises:
            ModuleGoneError: the module is gone.
        """
        old = self._route.replace(channel, identity, calls, gate)
        self._identity = identity
        return old

    def retire(self, reason: str) -> grpc.Channel:
        """For the pool: refuse all further calls.

        Args:
            reason: why, as the end of a sentence: "it was unregistered", "the pool was closed".

        Returns:
            The channel that was current, as `replace` does.

        Raises:
            ModuleGoneError: the module is gone already.
        """
        shown = str(self._identity.key)  # the closure below must not hold this channel, and with it its route, in a cycle

        def gone() -> TinypoolError:
            return ModuleGoneError(shown, reason)

        old = self._route.end(gone)
        self._gone = reason
        return old

    def is_held(self, channel: grpc.Channel) -> bool:
        """For the pool: whether a call still blocks on `channel`, which was returned by `replace` or `retire`, or is on its way into it.

        Once it is False it stays False, and every call that will ever be made on `channel` is counted by gRPC. So
        `channel` can be closed without harm when this is False and then, in that order, its counters balance.
        It costs 0.4 us, and the calls nothing.
        """
        return self._route.is_held(channel)
