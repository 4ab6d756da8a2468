"""What a person's question "why?" looks at, besides the record: gRPC core's counters, DNS, the environment, whether a peer answers.

A peer that hangs up is said a TLS hello, one to which a connection has been under way for long is dialled by TCP. It runs in the asking
person's thread, waits no longer than it is told to, and never touches the module's own connection.
"""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple

from tinypool_nb.channels.lookup import LookupFailedError, lookup
from tinypool_nb.core.addresses import Address, Scheme, parse_address
from tinypool_nb.core.diagnosis.condition import SLOW
from tinypool_nb.core.discovering import Known
from tinypool_nb.core.events import ChannelIdentity, Observation, Subject
from tinypool_nb.core.failures import shown_reason
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.states import State
from tinypool_nb.core.subchannels import Subchannel
from tinypool_nb.errors import AddressError

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
"""Variables by which gRPC's clients, or other tools, go through a proxy; in capitals too. A value may hold a password and is never told."""


class Seen(NamedTuple):
    """What the pool knows of the module without looking."""

    key: ModuleKey
    channel: ChannelIdentity | None
    """Its present channel; None if it has none."""
    subchannels: tuple[Subchannel, ...]
    held: bool
    resource: Known | None
    """What discovery knows of it."""
    hung_up: str
    """The peer that hangs up on its plaintext channel, in gRPC's form; "" if none does."""
    connecting: int | None = None
    """Since when a connection is being made, without a proxy; None if none is."""


def observe(seen: Seen, now: Callable[[], int], timeout: float, environment: Mapping[str, str] | None = None) -> tuple[Observation, ...]:
    """Look at everything around a module.

    Args:
        seen: what the pool knows.
        now: the clock, nanoseconds since 1970-01-01 UTC; all rows get the moment when everything was seen.
        timeout: seconds at most, for each of DNS, the TLS hello and the TCP connection.
        environment: by default this process's.
    """
    found = list(_observe(seen, timeout, os.environ if environment is None else environment))
    if seen.connecting is not None and now() - seen.connecting >= SLOW:
        found += _accepting(seen.subchannels, timeout)
    moment = now()
    return tuple(Observation(moment, seen.key, subject, text, value) for subject, text, value in found)


_Row = tuple[Subject, str, int]


def _observe(seen: Seen, timeout: float, environment: Mapping[str, str]) -> Iterator[_Row]:
    if seen.resource is not None:
        reason = f": {shown_reason(seen.resource.reason)}" if seen.resource.reason else ""
        yield Subject.DISCOVERY, f"{seen.resource.standing}{reason}", 0
    if seen.held:
        yield Subject.HELD, "it attempts only what it is asked for", 1
    yield from _counted(seen.subchannels)
    address = None if seen.channel is None or seen.channel.proxy else _address(seen.channel.address)  # a proxy looks names up itself
    if address is not None and _is_name(address):
        yield _dns(address, timeout)
    if seen.hung_up:
        version = tls_version(seen.hung_up, timeout)
        if version is not None:
            yield Subject.TLS, version, 0
    names = sorted(name for name in (*PROXIES, *map(str.upper, PROXIES)) if environment.get(name))
    if names:
        yield Subject.ENVIRONMENT, ", ".join(names), 0


def _accepting(subchannels: Iterable[Subchannel], timeout: float) -> Iterator[_Row]:
    """Whether the peer that a connection is being made to accepts another one, which is closed at once."""
    peer = next((one.peer for one in subchannels if one.state is State.CONNECTING), "")
    begun = time.monotonic()
    if peer:
        with suppress(OSError), _dial(peer, timeout):
            yield Subject.TCP, peer, round((time.monotonic() - begun) * 1_000)


def _counted(subchannels: Iterable[Subchannel]) -> Iterator[_Row]:
    calls: dict[str, int] = {}
    for one in subchannels:
        calls[one.peer] = calls.get(one.peer, 0) + one.calls_started
    if calls:
        yield Subject.RESOLVED, ", ".join(sorted(calls)), 0
    for peer, started in sorted(calls.items()):
        yield Subject.CALLS, peer, started
    for one in subchannels:
        for each in one.sockets:
            yield Subject.KEEPALIVES, each.remote or one.peer, each.keepalives_sent


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except AddressError:
        return None


def _is_name(address: Address) -> bool:
    """Whether DNS is asked for it; a literal address is not."""
    if address.scheme is not Scheme.DNS:
        return False
    with suppress(ValueError):
        ip_address(address.hosts[0])
        return False
    return True


def _dns(address: Address, timeout: float) -> _Row:
    try:
        return Subject.DNS, ", ".join(sorted(lookup(address, timeout))), 0
    except LookupFailedError as error:
        return Subject.DNS_FAILED, shown_reason(str(error)), 0


def tls_version(peer: str, timeout: float) -> str | None:
    """Which TLS a peer answers a hello with, for example "TLSv1.3"; "" if it speaks none, None if nobody answers.

    The certificate is not looked at, and nothing is sent after the handshake.

    Args:
        peer: a resolved address in gRPC's form.
        timeout: seconds at most.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # a question, not a connection: nothing is trusted and nothing said
    context.set_alpn_protocols(["h2"])
    try:
        raw = _dial(peer, timeout)
    except OSError:
        return None
    with raw:
        try:
            with context.wrap_socket(raw) as secured:
                return secured.version() or "TLS"
        except ssl.SSLError as error:
            return "TLS" if "ALERT" in (error.reason or "") else ""
        except OSError:
            return ""


def _dial(peer: str, timeout: float) -> socket.socket:
    scheme, _, rest = peer.partition(":")
    if scheme == "unix":
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            raw.settimeout(timeout)
            raw.connect(rest)
        except OSError:
            raw.close()
            raise
        return raw
    host, _, port = rest.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout)
