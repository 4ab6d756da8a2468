"""Parse an address and refuse what gRPC would dial as something else than a person meant, before anything is dialled.

gRPC accepts much that cannot be right: a missing port becomes 443, port 99999 becomes 34463, `::1:50051` hangs.
Source of the forms: grpc/grpc `doc/naming.md`. Every refusal is an AddressError with the value and the rule.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

from tinypool_nb.errors import AddressError, shown

LONGEST_ADDRESS = 1_000
"""Characters. The longest host name that DNS allows has 253."""
LONGEST_SOCKET_PATH = 107
"""Bytes that Linux keeps for the path of a Unix socket."""

_NAMED_PORT = re.compile(r"([^:/]+):([0-9]+)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_FOREIGN = frozenset({"http", "https", "grpc", "grpcs", "tcp", "ws", "wss"})
"""Schemes that people write before an address that would do without."""
_OTHERS_OF_GRPC = frozenset({"unix-abstract", "vsock", "xds", "google-c2p"})
"""Schemes of gRPC that this pool does not dial."""


class Scheme(StrEnum):
    """How gRPC finds the endpoints."""

    DNS = "dns"
    """A name (or a literal IP address) that is resolved; what a bare `host:port` means."""
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    UNIX = "unix"


class Endpoint(NamedTuple):
    """A host, as it was written and without brackets, and a port from 1 to 65535."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a module is reached. Made by `parse_address`."""

    text: str
    """As it was registered; two addresses are the same if their texts are."""
    target: str
    """What gRPC dials: a URI with a scheme and without a fragment, so that the pool may append one of its own."""
    scheme: Scheme
    endpoints: tuple[Endpoint, ...]
    """At least one, in the order written; none for a Unix socket."""
    name_server: Endpoint | None = None
    """The DNS server to ask, where the address names one."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host of each endpoint."""
        return tuple(endpoint.host for endpoint in self.endpoints)

    @property
    def ports(self) -> tuple[int, ...]:
        """The port of each endpoint."""
        return tuple(endpoint.port for endpoint in self.endpoints)

    @property
    def places(self) -> frozenset[tuple[str, int]]:
        """Where it leads, as far as the text tells: each host, in lower case, with its port; the names of the loopback count as one."""
        return frozenset(("localhost" if host in {"127.0.0.1", "::1"} else host.lower(), port) for host, port in self.endpoints)

    def meets(self, other: "Address") -> bool:
        """Whether both lead to one endpoint at least, as far as the texts tell; the names of the loopback count as one.

        >>> parse_address("localhost:50051").meets(parse_address("ipv4:127.0.0.1:50051,127.0.0.1:50052"))
        True
        """
        return self.text == other.text or not self.places.isdisjoint(other.places)

    def __str__(self) -> str:
        return self.text


def parse_address(text: object) -> Address:
    """Check an address at the door and say what gRPC is to dial.

    Welcome are `host:port`, `127.0.0.1:port`, `[::1]:port`, `dns:///host:port`, `dns://127.0.0.1:port/host:port` (with a
    DNS server of one's own), `ipv4:a:port,b:port`, `ipv6:[a]:port,[b]:port` and `unix:/absolute/path`. Host names are
    ASCII: an internationalised one is written in its `xn--` form, since gRPC and Kubernetes know no other.

    Args:
        text: what a person or a resource says; at most 1,000 characters.

    Raises:
        AddressError: with the value and the rule that it broke; nothing else, whatever `text` is.

    >>> parse_address("http-module-v1:50051").target
    'dns:///http-module-v1:50051'
    >>> parse_address("ipv4:10.0.0.1:50051,10.0.0.2:50051").hosts
    ('10.0.0.1', '10.0.0.2')
    >>> parse_address("::1:50051")
    Traceback (most recent call last):
    tinypool_nb.errors.AddressError: address '::1:50051' was refused: an IPv6 address stands in brackets: [::1]:50051
    """
    if not isinstance(text, str):
        raise AddressError(text, f"an address is a str such as 'host:port', not {type(text).__name__}")
    _check_characters(text)
    # A host may be called `dns`: what is nothing but a name and a number is never a scheme.
    uri = None if _NAMED_PORT.fullmatch(text) else _SCHEME.fullmatch(text)
    if uri is None:
        return _dns(text, "", text)
    scheme, rest = uri[1].lower(), uri[2]
    if scheme == Scheme.DNS:
        server, rest = _split_name_server(text, rest)
        return _dns(text, server, rest)
    if scheme in {Scheme.IPV4, Scheme.IPV6}:
        return _literal(text, Scheme(scheme), rest)
    if scheme == Scheme.UNIX:
        return _unix(text, rest)
    if rest.startswith("//") or scheme in _FOREIGN | _OTHERS_OF_GRPC:
        raise AddressError(text, _foreign_scheme(scheme, rest))
    return _dns(text, "", text)


def _check_characters(text: str) -> None:
    if not text:
        raise AddressError(text, "it is empty; write 'host:port'")
    if len(text) > LONGEST_ADDRESS:
        raise AddressError(text, f"an address has at most {LONGEST_ADDRESS:,} characters; this one has {len(text):,}")
    if any(character.isspace() for character in text):
        raise AddressError(text, "an address holds no blanks")
    if not text.isascii():
        raise AddressError(text, "an address is ASCII; write an internationalised host name in its xn-- form")
    if not text.isprintable():
        raise AddressError(text, "an address holds no control characters")
    if "#" in text:
        raise AddressError(text, "an address has no fragment ('#')")
    if "%" in text:
        raise AddressError(text, "an address has no percent-encoding and no IPv6 zone ('%')")


def _foreign_scheme(scheme: str, rest: str) -> str:
    if scheme == "nats":
        return "nats:// is not gRPC: the module is reached by NATS messages, and there is nothing to dial"
    if scheme in _FOREIGN:
        bare = rest.removeprefix("//")
        return f"gRPC knows no {scheme}://; drop it and write {shown(bare) if bare else 'host:port'}"
    return f"the scheme {shown(scheme)} is not one of {', '.join(Scheme)}; write 'host:port'"


def _split_name_server(text: str, rest: str) -> tuple[str, str]:
    """(DNS server or "", host:port) of what follows `dns:`."""
    if not rest.startswith("//"):
        return "", rest.removeprefix("/")
    server, slash, rest = rest[2:].partition("/")
    if not slash:
        raise AddressError(text, f"dns:// has three slashes before the host: 'dns:///{server}'")
    return server, rest


def _dns(text: str, server: str, rest: str) -> Address:
    if "," in rest:
        raise AddressError(text, "several endpoints are listed by their addresses: 'ipv4:10.0.0.1:port,10.0.0.2:port'")
    endpoint = _endpoint(text, rest)
    name_server = None
    if server:
        name_server = _endpoint(text, server)
        if not _is_ipv4(name_server.host) and not _is_ipv6(name_server.host):
            # gRPC core: "Cannot parse authority", and every call would end INTERNAL.
            raise AddressError(text, "a DNS server is named by its IP address and port: 'dns://127.0.0.1:53/host:port'")
    return Address(text, f"dns://{name_server or ''}/{endpoint}", Scheme.DNS, (endpoint,), name_server)


def _literal(text: str, scheme: Scheme, rest: str) -> Address:
    endpoints = tuple(_endpoint(text, part) for part in rest.split(","))
    belongs = _is_ipv4 if scheme is Scheme.IPV4 else _is_ipv6
    for endpoint in endpoints:
        if not belongs(endpoint.host):
            raise AddressError(text, f"{scheme}: lists literal addresses, and {shown(endpoint.host)} is none")
    return Address(text, f"{scheme}:{','.join(map(str, endpoints))}", scheme, endpoints)


def _unix(text: str, rest: str) -> Address:
    path = rest.removeprefix("//") if rest.startswith("///") else rest
    if not path.startswith("/") or path.startswith("//") or path == "/":
        raise AddressError(text, "the path of a Unix socket is absolute: 'unix:/run/module.sock'")
    if "?" in path:
        raise AddressError(text, "an address has no query ('?')")
    if len(path) > LONGEST_SOCKET_PATH:
        raise AddressError(text, f"the path of a Unix socket has at most {LONGEST_SOCKET_PATH} bytes; this one has {len(path)}")
    return Address(text, f"unix:{path}", Scheme.UNIX, ())


def _endpoint(text: str, part: str) -> Endpoint:
    """The one host and port that `part` of the address `text` names."""
    if "@" in part:
        raise AddressError(text, "an address has no user information ('@')")
    host, port = _split_port(text, part)
    number = _port(text, port)
    if not host:
        raise AddressError(text, f"the host before ':{number}' is missing")
    if not _is_ipv6(host):
        _check_name(text, host)
    return Endpoint(host, number)


def _split_port(text: str, part: str) -> tuple[str, str]:
    if part.startswith("["):
        host, bracket, rest = part[1:].partition("]")
        if not bracket or not _is_ipv6(host):
            raise AddressError(text, "in brackets stands an IPv6 address: '[::1]:50051'")
        if not rest:
            raise AddressError(text, _no_port(part))
        if not rest.startswith(":"):
            raise AddressError(text, f"after ']' comes ':port', not {shown(rest)}")
        return host, rest[1:]
    host, colon, port = part.rpartition(":")
    if _is_ipv6(host):
        raise AddressError(text, f"an IPv6 address stands in brackets: [{host}]:{port or 'port'}")
    if _is_ipv6(part):
        raise AddressError(text, f"an IPv6 address stands in brackets, and {_no_port(f'[{part}]')}")
    if not colon:
        raise AddressError(text, _no_port(part))
    return host, port


def _no_port(part: str) -> str:
    return f"it has no port (gRPC would have dialled 443); write {shown(f'{part}:port')}"


def _port(text: str, port: str) -> int:
    digits = re.match(r"[0-9]*", port)
    assert digits is not None
    if not port:
        raise AddressError(text, "it has no port after ':' (gRPC would have dialled 443)")
    if digits[0] and digits.end() < len(port) and port[digits.end()] in "/?,":
        raise AddressError(text, f"nothing follows the port; drop {shown(port[digits.end() :])}")
    if digits[0] != port:
        raise AddressError(text, f"the port is a number from 1 to 65535, not {shown(port)}")
    if port.startswith("0") or len(port) > 5 or int(port) > 65_535:  # a leading zero, or 0 itself
        raise AddressError(text, f"the port is a number from 1 to 65535, without leading zeros, not {shown(port)}")
    return int(port)


def _check_name(text: str, host: str) -> None:
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # Resolvers read "1.2.3" and "0x7f.1" as IPv4 addresses too, of hosts that nobody meant.
        if not _is_ipv4(host):
            raise AddressError(text, f"an IPv4 address is four numbers from 0 to 255, not {shown(host)}")
    elif len(host) > 253:
        raise AddressError(text, f"a host name has at most 253 characters; this one has {len(host)}")
    elif not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressError(text, f"a host name is letters, digits, '-' and '_' in parts of 1 to 63 joined by '.', not {shown(host)}")


def _is_ipv4(host: str) -> bool:
    try:
        IPv4Address(host)
    except AddressValueError:
        return False
    return True


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except AddressValueError:
        return False
    return True
