"""What gRPC core counts of each connection: the subchannels of a channel, and the sockets under them, as they are at one moment.

Source: gRFC A14 and its `channelz.proto`. These are values; `tinypool_nb.channels.channelz` reads them.
Times are nanoseconds since 1970-01-01 UTC on the record's clock, exact to 2 ms: core counts whole milliseconds, rounded down, from
a start that is measured. None stands for what has never happened.
"""

from base64 import b64decode
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

from tinypool_nb.core.events import ChannelIdentity
from tinypool_nb.core.states import State


class Socket(NamedTuple):
    """One established connection."""

    number: int
    """Its channelz id, unique in the process."""
    local: str
    """Our end in gRPC's form, for example `ipv4:127.0.0.1:41234`; `unix:` where a Unix socket has no name."""
    remote: str
    """The peer's end in gRPC's form."""
    streams_started: int
    """Calls that were sent on it."""
    streams_succeeded: int
    """Streams that both sides ended in order, whatever the status."""
    streams_failed: int
    messages_sent: int
    messages_received: int
    keepalives_sent: int
    """HTTP/2 PINGs that core sent to see whether the peer still lives (gRFC A8)."""
    last_stream: int | None
    """When the last call was sent on it."""
    last_sent: int | None
    """When the last message or keepalive ping was sent; before the first, when the connection was made: core stamps all three here."""
    last_received: int | None
    """When the last message was received."""


class Subchannel(NamedTuple):
    """One resolved address of a channel, and what goes on there."""

    number: int
    """Its channelz id, unique in the process; `Attempt.subchannel` is the same number."""
    peer: str
    """The resolved address in gRPC's form, for example `ipv4:127.0.0.1:50051`."""
    state: State | None
    """None where core says a state that is none of the five."""
    calls_started: int
    calls_succeeded: int
    calls_failed: int
    last_call: int | None
    """When its last call began."""
    sockets: tuple[Socket, ...]
    """One while it is READY, else none. What was counted on lost connections is in the calls alone."""


Found = Mapping[ChannelIdentity, tuple[Subchannel, ...]]
"""The subchannels of each open channel; none of a channel that has not connected yet."""


def address_of(address: Mapping[str, Any] | None) -> str:
    """An `Address` of channelz, in its JSON form, as gRPC writes addresses; "" if it is missing.

    >>> address_of({"tcpipAddress": {"ipAddress": "fwAAAQ==", "port": 50051}})
    'ipv4:127.0.0.1:50051'
    >>> address_of({"tcpipAddress": {"ipAddress": "AAAAAAAAAAAAAAAAAAAAAQ==", "port": 50051}})
    'ipv6:[::1]:50051'
    >>> address_of({"udsAddress": {"filename": "/run/module.sock"}})
    'unix:/run/module.sock'

    Source: `channelz.proto`, message Address; grpc/grpc `doc/naming.md`.
    """
    match address:
        case {"tcpipAddress": {"ipAddress": str(packed), **rest}}:
            ip = ip_address(b64decode(packed))
            port = rest.get("port", 0)
            return f"ipv4:{ip}:{port}" if ip.version == 4 else f"ipv6:[{ip}]:{port}"
        case {"udsAddress": {**rest}}:
            return f"unix:{rest.get('filename', '')}"
        case {"otherAddress": {**rest}}:
            return str(rest.get("name", ""))
    return ""
