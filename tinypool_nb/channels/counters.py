"""What gRPC core counts of a channel's subchannels and sockets, read from its channelz at a person's request.

It holds no lock of ours, so it may run in any thread; what goes away between two reads is left out.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeVar

import grpc

from tinypool_nb.channels.channelz import Channelz, Json, directory, peer_of, references
from tinypool_nb.channels.opening import open_channel, tag
from tinypool_nb.channels.watched import numbers
from tinypool_nb.core.clock import Clock
from tinypool_nb.core.options import PoolOptions
from tinypool_nb.core.states import State
from tinypool_nb.core.subchannels import Socket, Subchannel, address_of
from tinypool_nb.journal.clock import system_clock

NEWEST = 16
"""Sockets of a subchannel that are looked at. Core lists those that are gone too, as it is told to remember what is closed (see
`environment`), and after a thousand lost connections reading them all would take 0.1 s."""
NOBODY = "unix:/nonexistent/tinypool"
CALLS = 12
"""How often the lag is measured; the least counts."""
AGAIN = 600
"""Seconds after which it is measured anew: where core counts the processor's cycles, its two clocks may drift apart."""

_STATES = {state.value: state for state in State}
Read = TypeVar("Read")


class Counters:
    """Reads the counters of open channels, with times on the record's clock."""

    def __init__(self, clock: Clock) -> None:
        """`clock`: the record's.

        Raises:
            GrpcVersionError: this grpcio has no in-process channelz.
        """
        self._channelz = Channelz(clock.epoch)
        self._behind = behind(int(clock.monotonic() // (AGAIN * 1_000_000_000)))

    def subchannels(self, channel: int) -> tuple[Subchannel, ...] | None:
        """What is counted of the channel of that channelz id; None if core has forgotten it."""
        counted = self._channelz.counted("channel", channel)
        return None if counted is None else _those(map(self._subchannel, references(counted[0], "subchannel")))

    def _subchannel(self, number: int) -> Subchannel | None:
        counted = self._channelz.counted("subchannel", number, "lastCallStartedTimestamp")
        if counted is None:
            return None
        node, (last_call,) = counted
        data = node["data"]
        state = _STATES.get(data.get("state", {}).get("state", "IDLE"))  # core names none before the first change
        return Subchannel(
            number,
            peer_of(node),
            state,
            int(data["callsStarted"]),
            int(data["callsSucceeded"]),
            int(data["callsFailed"]),
            self._time(last_call),
            self._sockets(node) if state is State.READY else (),
        )

    def _sockets(self, subchannel: Json) -> tuple[Socket, ...]:
        """The socket of a READY subchannel: of all that core lists, the one on which something was sent last.

        The others are gone: a subchannel has one connection at a time, and core stamps each when it is made.
        """
        newest = sorted(references(subchannel, "socket"))[-NEWEST:]
        listed = _those(map(self._socket, newest))
        return (max(listed, key=lambda socket: (socket.last_sent or 0, socket.number)),) if listed else ()

    def _socket(self, number: int) -> Socket | None:
        stamps = ("lastLocalStreamCreatedTimestamp", "lastMessageSentTimestamp", "lastMessageReceivedTimestamp")
        counted = self._channelz.counted("socket", number, *stamps)
        if counted is None:
            return None
        node, times = counted
        data = node["data"]
        return Socket(
            number,
            address_of(node.get("local")),
            address_of(node.get("remote")),
            int(data["streamsStarted"]),
            int(data["streamsSucceeded"]),
            int(data["streamsFailed"]),
            int(data["messagesSent"]),
            int(data["messagesReceived"]),
            int(data["keepAlivesSent"]),
            *map(self._time, times),
        )

    def _time(self, stamp: int | None) -> int | None:
        return None if stamp is None else stamp + self._behind


@lru_cache(maxsize=1)
def behind(_: int) -> int:
    """How far the stamps of core's counters lie behind those of its traces: 1 to 2 s, in nanoseconds, as measured in that stretch of time.

    Core counts the traces' milliseconds from a whole second at least one second before it was loaded, and the counters' from the
    moment itself, and then takes the two for one (grpc/grpc `src/core/util/time.cc`). The difference stands nowhere, so it is
    measured, by a dozen calls to a Unix socket that nobody serves: their starts, as core stamps them, against the clock. It takes 5 ms.
    """
    number, clock = next(numbers), system_clock()
    channelz, measured = Channelz(clock.epoch), []
    with open_channel(NOBODY, number, PoolOptions()) as channel:
        call: Any = channel.unary_unary("/tinypool/Clock")
        node = directory.claim(tag(number))
        assert node is not None, "gRPC core lists every open channel"
        for _ in range(CALLS):
            with suppress(grpc.RpcError):
                call(b"", timeout=1.0)
            begun = clock.now()
            counted = channelz.counted("channel", node, "lastCallStartedTimestamp")
            measured += [begun - stamp for stamp in (counted[1] if counted else ()) if stamp is not None]
    return min(measured)


def _those(found: Iterable[Read | None]) -> tuple[Read, ...]:
    return tuple(one for one in found if one is not None)
