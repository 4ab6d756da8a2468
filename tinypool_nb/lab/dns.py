"""A DNS server of the lab, whose records a person changes while it runs. `Lab.dns` starts it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, NamedTuple

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.errors import AddressError, LabError, OptionsError, shown
from tinypool_nb.lab.actions import Action, announce
from tinypool_nb.lab.asking import Asked
from tinypool_nb.lab.checks import check_int
from tinypool_nb.lab.ports import Ports
from tinypool_nb.lab.processes import Processes

MOST_ADDRESSES = 60
"""Of one name: what fits into one line to the server."""


class DnsFailure(StrEnum):
    """How a name fails to resolve."""

    NXDOMAIN = "NXDOMAIN"
    """There is no such name."""
    SERVFAIL = "SERVFAIL"
    """The server could not find out."""
    SILENCE = "silence"
    """Nothing is answered, so that whoever asks waits for nothing."""


class Query(NamedTuple):
    """One question that the server got."""

    time: datetime
    """When; UTC."""
    name: str
    """Lower case."""
    kind: str
    """A, AAAA, TXT, ..."""
    transport: str
    """udp or tcp."""
    answer: str
    """`2 addresses`, `truncated` (to be asked again by TCP), NXDOMAIN, SERVFAIL or silence."""


class Dns:
    """A small DNS server on 127.0.0.1. What it was not told of is NXDOMAIN; an IPv6 address of a name that has none is an empty answer.

        dns = lab.dns()
        dns.set("modules.test", ["127.0.0.1", "127.0.0.2"])
        pool.register("http-module-v1", dns.target("modules.test", 50051))
        dns.set("modules.test", ["127.0.0.3"])

    gRPC asks by its own resolver, c-ares, if the target names the server. With GRPC_DNS_RESOLVER=native it would ask the system's
    instead. It asks again only after it lost a connection, however short the time to live is.

    Args:
        processes: the lab's.
        ports: the lab's.
        port: where; None takes a free one.
    """

    def __init__(self, processes: Processes, ports: Ports, port: int | None) -> None:
        self._ports = ports
        self._asked = Asked(processes, "tinypool_nb.lab.name_server", "the lab's DNS server")
        self._closed = False
        self._names: dict[str, str] = {}
        self._targets: dict[str, set[str]] = {}
        """By name: the targets that were handed out, on whose timelines a change is marked."""
        try:
            self.port: int = self._asked.ask("open", ports=ports.draw() if port is None else [port])["port"]
        except BaseException:
            self._asked.end()
            raise
        ports.taken.add(self.port)

    @property
    def address(self) -> str:
        """Where it answers: `127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    def target(self, name: str, port: int) -> str:
        """What `pool.register` and gRPC resolve by this server: `dns://127.0.0.1:PORT/name:port`.

        Args:
            name: a host name; it need not be known yet.
            port: of the module.

        Raises:
            OptionsError: one of them is refused.
        """
        name = _checked(name)
        check_int("port", port, 1, 65_535)
        target = f"dns://{self.address}/{name}:{port}"
        self._targets.setdefault(name, set()).add(target)
        return target

    def set(self, name: str, addresses: Iterable[str], *, ttl: int = 1) -> None:
        """Let a name have these addresses from now on; it is so when this returns.

        More than 20 or so do not fit into a UDP answer: it is truncated, and resolvers ask again by TCP.

        Args:
            name: a host name.
            addresses: IPv4 and IPv6, at most 60, in the order in which they are told; none is an empty answer.
            ttl: seconds for which others may keep them.

        Raises:
            OptionsError: a setting is refused.
            LabError: the server is gone.
        """
        name = _checked(name)
        if isinstance(addresses, str):
            raise OptionsError("addresses", addresses, f"a list of addresses, such as [{shown(addresses)}]")
        listed = [_literal(address) for address in addresses]
        if len(listed) > MOST_ADDRESSES:
            raise OptionsError("addresses", listed, f"at most {MOST_ADDRESSES}")
        check_int("ttl", ttl, 0, 2**31 - 1)
        told = ", ".join(listed) if len(listed) <= 3 else f"{', '.join(listed[:2])} and {len(listed) - 2} more"
        self._tell(name, told or "no address", addresses=listed, ttl=ttl, behaviour="answer")

    def fail(self, name: str, how: DnsFailure | str = DnsFailure.NXDOMAIN) -> None:
        """Let a name not resolve from now on.

        Args:
            name: a host name.
            how: "NXDOMAIN", "SERVFAIL" or "silence".

        Raises:
            OptionsError: a setting is refused.
            LabError: the server is gone.
        """
        name = _checked(name)
        try:
            failure = DnsFailure(how)
        except ValueError:
            raise OptionsError("how", how, f"one of {', '.join(DnsFailure)}") from None
        self._tell(name, str(failure), addresses=[], ttl=0, behaviour=str(failure))

    @property
    def queries(self) -> tuple[Query, ...]:
        """What it was asked, the oldest first; of very many the last 1,000.

        Raises:
            LabError: the server is gone.
        """
        told = self._ask("queries")["queries"]
        return tuple(Query(datetime.fromtimestamp(time / 1e9, UTC), *rest) for time, *rest in told)

    def close(self) -> None:
        """End it: its port refuses. A second time nothing happens. The lab's end does it, too."""
        if not self._closed and not self._asked.closed:
            self._asked.end()
            self._ports.taken.discard(self.port)
        self._closed = True

    def _tell(self, name: str, told: str, **arguments: object) -> None:
        for target in self._targets.get(name, ()):
            announce(Action(f"dns {name}: {told}", name, target))
        self._ask("set", name=name, **arguments)
        self._names[name] = told

    def _ask(self, verb: str, **arguments: object) -> dict[str, Any]:
        if self._closed:
            raise LabError(f"{verb}: the DNS server at {self.address} is closed; lab.dns() starts another one")
        return self._asked.ask(verb, **arguments)

    def __repr__(self) -> str:
        closed = "closed; " if self._closed or self._asked.closed else ""
        return f"<Dns at {self.address}: {closed}{'; '.join(f'{name} = {told}' for name, told in self._names.items()) or 'no name yet'}>"


def _checked(name: object) -> str:
    try:
        (endpoint,) = parse_address(f"{name}:1" if isinstance(name, str) else name).endpoints
    except AddressError as error:
        raise OptionsError("name", name, f"a host name such as 'modules.test': {error.rule}") from None
    if endpoint.host != name or _is_literal(endpoint.host):
        raise OptionsError("name", name, "a host name such as 'modules.test'; a literal address is never asked for")
    return endpoint.host.lower().removesuffix(".")


def _literal(address: object) -> str:
    if not isinstance(address, str) or not _is_literal(address):
        raise OptionsError("addresses", address, "literal addresses, such as 127.0.0.2")
    return address


def _is_literal(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
