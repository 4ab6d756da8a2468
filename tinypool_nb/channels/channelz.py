"""The in-process channelz of gRPC core: traces, call counters and sockets, without a server or a port.

The private names of grpcio stand in this module alone; a canary test holds each (`tests/channels/test_channelz.py`).
Each call into core holds the GIL for some 0.1 ms, takes no lock of ours, and alters no trace.
Source: gRFC A14; `grpc/channelz/v1/channelz.proto`, whose JSON form is what core returns.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import unquote

import grpc

from tinypool_nb.core.tracing import TraceClock, TraceEvent, nanoseconds
from tinypool_nb.errors import GrpcVersionError

READS = 4
"""How often a node is read at the most until its time stamps are right."""
UNDISTURBED = 900_000
"""Nanoseconds. Who was interrupted for less while a node was read cannot have got a stamp wrong by whole milliseconds, which its phase
would not betray. Systems interrupt by the tick, which is of 1, 4 or 10 ms."""

Json = dict[str, Any]
Kind = Literal["channel", "subchannel", "socket"]


class Node(NamedTuple):
    """What channelz says of one channel or subchannel at one moment."""

    target: str
    """Of a channel its target, of a subchannel the peer's address."""
    events: list[TraceEvent]
    """Its trace, oldest first, as far back as it has not been overwritten."""
    subchannels: tuple[int, ...]
    """Channelz ids of its subchannels, sockets left out."""
    sockets: tuple[int, ...]
    calls_started: int
    calls_ended: int
    """Succeeded or failed; equal to `calls_started` when no call is under way."""


def peek_of(channel: grpc.Channel) -> Callable[[bool], int]:
    """A function that tells the channel's state as gRPC core's number, and with True also asks it to connect.

    It takes 0.3 us, locks nothing and starts no thread, unlike `subscribe`.

    Raises:
        GrpcVersionError: this grpcio has no such function.
    """
    try:
        peek: Callable[[bool], int] = channel._channel.check_connectivity_state  # type: ignore[attr-defined]
    except AttributeError as missing:
        raise _version_error(missing) from missing
    return peek


class CallState(Protocol):
    """What gRPC keeps of a call, also when nobody holds the call itself any more."""

    code: Any
    """A grpc.StatusCode; None while the call goes on."""
    details: Any
    """With which words it ended; text or bytes."""


def state_of(call: Any) -> CallState:
    """The state of a call that goes on in the background (a future, a stream).

    Raises:
        GrpcVersionError: this grpcio keeps none.
    """
    try:
        state: CallState = call._state
    except AttributeError as missing:
        raise _version_error(missing) from missing
    return state


def _version_error(missing: Exception) -> GrpcVersionError:
    return GrpcVersionError(f"grpcio {grpc.__version__} lacks {missing}; install one that tinypool_nb's pyproject.toml allows")


class Directory:
    """Finds the channelz id of a channel by the tag in its target; one serves all pools of the process.

    Core numbers a channel when it is first listed, and a listing carries whole traces, so each channel is listed once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._unclaimed: dict[str, int] = {}

    def claim(self, tag: str) -> int | None:
        """The channelz id of the open channel whose target ends in `#tag`; None if there is none."""
        with self._lock:
            while tag not in self._unclaimed:
                answer = json.loads(_cygrpc().channelz_get_top_channels(self._next))
                listed = answer.get("channel", ())
                for node in listed:
                    number = int(node["ref"]["channelId"])
                    self._next = max(self._next, number + 1)
                    fragment = node["data"]["target"].rpartition("#")[2]
                    if fragment.startswith(f"tp{os.getpid()}-"):
                        self._unclaimed[fragment] = number
                if answer.get("end") or not listed:
                    break
            return self._unclaimed.pop(tag, None)

    def reset_in_fork(self) -> None:
        """In a fork, where the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()


directory = Directory()
os.register_at_fork(after_in_child=directory.reset_in_fork)


def _cygrpc() -> Any:
    try:
        from grpc._cython import cygrpc

        cygrpc.channelz_get_top_channels, cygrpc.channelz_get_channel  # noqa: B018
        cygrpc.channelz_get_subchannel, cygrpc.channelz_get_socket  # noqa: B018
    except (ImportError, AttributeError) as missing:
        raise _version_error(missing) from missing
    return cygrpc


class Channelz:
    """Reads nodes of this process's channelz, with times on the record's clock."""

    def __init__(self, epoch: int) -> None:
        """`epoch`: the record's clock, wall minus monotonic, nanoseconds.

        Raises:
            GrpcVersionError: this grpcio has no in-process channelz.
        """
        core = _cygrpc()
        self._get: Mapping[Kind, Callable[[int], str]] = {
            "channel": core.channelz_get_channel,
            "subchannel": core.channelz_get_subchannel,
            "socket": core.channelz_get_socket,
        }
        self._clock = TraceClock(epoch)
        self.reread = 0
        """How many nodes had to be read again since a time stamp was read wrong."""

    def channel(self, number: int) -> Node | None:
        """The channel of that channelz id; None if core has forgotten it."""
        return self._node("channel", number)

    def subchannel(self, number: int) -> Node | None:
        """The subchannel of that channelz id; None if core has forgotten it."""
        return self._node("subchannel", number)

    def counted(self, kind: Kind, number: int, *stamps: str) -> tuple[Json, list[int | None]] | None:
        """A node in core's JSON form, and its times of those names; None if core has forgotten it.

        A time is None where core leaves the name out, since what it tells of has never happened.
        """
        loaded = self._load(kind, number, lambda node: [node["data"][name] for name in stamps if _happened(node, name)])
        if loaded is None:
            return None
        node, times = loaded
        following = iter(times)
        return node, [next(following) if _happened(node, name) else None for name in stamps]

    def _node(self, kind: Kind, number: int) -> Node | None:
        loaded = self._load(kind, number, lambda node: [event["timestamp"] for event in _trace(node)])
        if loaded is None:
            return None
        node, times = loaded
        data = node["data"]
        return Node(
            peer_of(node) if kind == "subchannel" else data["target"],
            [TraceEvent(time, event["description"]) for time, event in zip(times, _trace(node), strict=True)],
            references(node, "subchannel"),
            references(node, "socket"),
            int(data["callsStarted"]),
            int(data["callsSucceeded"]) + int(data["callsFailed"]),
        )

    def _load(self, kind: Kind, number: int, stamps: Callable[[Json], list[str]]) -> tuple[Json, list[int]] | None:
        """A node and its stamps as times on the record's clock, read again while one may be wrong; None if core has forgotten the node.

        They are right if each lies on the phase, and nothing can have come in between, or the read before said the same.
        """
        before: list[int] | None = None
        for attempt in range(1, READS + 1):
            began = time.monotonic_ns()
            offset = time.time_ns() - time.monotonic_ns()
            try:
                told = self._get[kind](number)
            except ValueError:  # how grpcio says that there is no such node
                return None
            undisturbed = time.monotonic_ns() - began < UNDISTURBED
            node: Json = json.loads(told)[kind]
            times, right = self._clock.times(stamps(node), offset, last_try=attempt == READS)
            if right and (undisturbed or times == before):
                break
            before = times if right else None
            self.reread += 1
        return node, times


def references(node: Json, kind: Kind) -> tuple[int, ...]:
    """The channelz ids of what a node has below it."""
    return tuple(int(reference[f"{kind}Id"]) for reference in node.get(f"{kind}Ref", ()))


def peer_of(node: Json) -> str:
    """A subchannel's peer as people write it: core percent-encodes what a URI may not hold, as the brackets of `ipv6:[::1]:50051`."""
    peer: str = node["data"]["target"]
    return unquote(peer) if "%" in peer else peer


def _trace(node: Json) -> list[dict[str, str]]:
    return (node["data"].get("trace") or {}).get("events") or []


def _happened(node: Json, name: str) -> bool:
    stamp = node["data"].get(name)
    return stamp is not None and nanoseconds(stamp) > 0
