"""What DNS says of an address now, within a timeout: by the system's resolver, or by the DNS server that the address names."""

import secrets
import socket
import threading
import time
from contextlib import suppress

from tinypool_nb.core.addresses import Address, Endpoint, Scheme
from tinypool_nb.core.dns_wire import DnsAnswerError, OtherAnswerError, RecordType, TruncatedAnswerError, addresses, question

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
    """By a DNS server of one's own. A kind of record that fails is told only if the other one has no address either, as gRPC does it."""
    if ":" in host or host.replace(".", "").isdigit():
        return [host]
    until = time.monotonic() + timeout
    hosts: list[str] = []
    failure: DnsAnswerError | None = None
    try:
        for record in RecordType:
            number = secrets.randbelow(1 << 16)
            asked = question(host, record, number)
            try:
                hosts += _by_datagram(server, asked, number, until)
            except TruncatedAnswerError:
                hosts += addresses(_by_stream(server, asked, until), number)
            except DnsAnswerError as error:
                failure = failure or error
    except TimeoutError:
        raise TimeoutError(f"{server} gave no answer within {timeout:g} s") from None
    if failure is not None and not hosts:
        raise failure
    return hosts


def _by_datagram(server: Endpoint, asked: bytes, number: int, until: float) -> list[str]:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((server.host, server.port))
        asking.send(asked)
        while True:
            asking.settimeout(_left(until))
            with suppress(OtherAnswerError):  # whoever else sends one must not be taken for the server
                return addresses(asking.recv(LONGEST_ANSWER), number)


def _by_stream(server: Endpoint, asked: bytes, until: float) -> bytes:
    """The same by TCP, where each message has its length before it (RFC 1035, section 4.2.2)."""
    with socket.create_connection((server.host, server.port), _left(until)) as asking:
        asking.sendall(len(asked).to_bytes(2, "big") + asked)
        answer = b""
        while len(answer) < 2 or len(answer) < 2 + int.from_bytes(answer[:2], "big"):
            asking.settimeout(_left(until))
            piece = asking.recv(LONGEST_ANSWER)
            if not piece:
                raise DnsAnswerError("the answer was cut off")
            answer += piece
    return answer[2:]


def _left(until: float) -> float:
    """Seconds until then.

    Raises:
        TimeoutError: none are left.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
