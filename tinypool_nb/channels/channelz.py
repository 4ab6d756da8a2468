"""The in-process channelz of gRPC core: traces, call counters and sockets, without a server or a port.

The private names of grpcio stand in this module alone; a canary test holds each (`tests/channels/test_channelz.py`).
Source: gRFC A14; `grpc/channelz/v1/channelz.proto`, whose JSON form is what core returns.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc

from tinypool_nb.core.tracing import TraceClock, TraceEvent
from tinypool_nb.errors import GrpcVersionError

READS = 4
"""How often a trace is read at the most until its time stamps are right."""


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

        cygrpc.channelz_get_top_channels, cygrpc.channelz_get_channel, cygrpc.channelz_get_subchannel  # noqa: B018
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
        self._get_channel: Callable[[int], str] = core.channelz_get_channel
        self._get_subchannel: Callable[[int], str] = core.channelz_get_subchannel
        self._clock = TraceClock(epoch)
        self.reread = 0
        """How many traces had to be read again since a time stamp was read wrong."""

    def channel(self, number: int) -> Node | None:
        """The channel of that channelz id; None if core has forgotten it."""
        return self._read(self._get_channel, number, "channel")

    def subchannel(self, number: int) -> Node | None:
        """The subchannel of that channelz id; None if core has forgotten it."""
        return self._read(self._get_subchannel, number, "subchannel")

    def _read(self, get: Callable[[int], str], number: int, kind: str) -> Node | None:
        for attempt in range(1, READS + 1):
            offset = time.time_ns() - time.monotonic_ns()
            try:
                node = json.loads(get(number))[kind]
            except ValueError:  # how grpcio says that there is no such node
                return None
            data = node["data"]
            events, right = self._clock.read((data.get("trace") or {}).get("events") or (), offset, last_try=attempt == READS)
            if right:
                break
            self.reread += 1
        return Node(
            data["target"],
            events,
            tuple(int(reference["subchannelId"]) for reference in node.get("subchannelRef", ())),
            tuple(int(reference["socketId"]) for reference in node.get("socketRef", ())),
            int(data["callsStarted"]),
            int(data["callsSucceeded"]) + int(data["callsFailed"]),
        )
