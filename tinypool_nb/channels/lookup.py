"""What DNS says of an address now, within a timeout: by the system's resolver, or by the DNS server that the address names."""

import secrets
import socket
import threading
import time

from tinypool_nb.core.addresses import Address, Endpoint, Scheme
from tinypool_nb.core.dns_wire import DnsAnswerError, RecordType, addresses, question

LONGEST_ANSWER = 4096
"""Bytes."""


class LookupFailedError(Exception):
    """DNS said no address, and why."""


def lookup(address: Address, timeout: float) -> list[str]:
    """The addresses of a name now, in gRPC's form, for example `ipv4:10.0.0.1:50051`.

    Args:
        address: of the scheme `dns`.
        timeout: seconds at most.

    Raises:
        LookupFailedError: none came, with the reason.
    """
    assert address.scheme is Scheme.DNS
    (endpoint,) = address.endpoints
    try:
        hosts = _asked(address.name_server, endpoint.host, timeout) if address.name_server else _resolved(endpoint, timeout)
    except (OSError, DnsAnswerError) as error:
        raise LookupFailedError(str(error) or type(error).__name__) from error
    if not hosts:
        raise LookupFailedError("the name has no address")
    return [f"ipv6:[{host}]:{endpoint.port}" if ":" in host else f"ipv4:{host}:{endpoint.port}" for host in dict.fromkeys(hosts)]


def _resolved(endpoint: Endpoint, timeout: float) -> list[str]:
    """By the system's resolver, which knows no timeout: a thread of its own asks, and is left behind if that takes longer."""
    said: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
            said.append([str(where[0]) for family, _, _, _, where in found if family in {socket.AF_INET, socket.AF_INET6}])
        except OSError as error:
            said.append(error)
        except UnicodeError as error:  # an empty label, for example
            said.append(OSError(str(error)))

    thread = threading.Thread(target=ask, name="tinypool-lookup", daemon=True)
    thread.start()
    thread.join(timeout)
    if not said:
        raise TimeoutError(f"no answer within {timeout:g} s")
    if isinstance(said[0], OSError):
        raise said[0]
    return said[0]


def _asked(server: Endpoint, host: str, timeout: float) -> list[str]:
    """By a DNS server of one's own, over UDP."""
    if ":" in host or host.replace(".", "").isdigit():
        return [host]
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    hosts: list[str] = []
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((server.host, server.port))
        until = time.monotonic() + timeout
        for record in RecordType:
            number = secrets.randbelow(1 << 16)
            asking.send(question(host, record, number))
            asking.settimeout(max(0.01, until - time.monotonic()))
            try:
                hosts += addresses(asking.recv(LONGEST_ANSWER), number)
            except TimeoutError:
                raise TimeoutError(f"{server} gave no answer within {timeout:g} s") from None
    return hosts
