"""The few bytes of DNS that a question for addresses needs. Pure.

gRPC asks the DNS server that an address names (`dns://127.0.0.1:53/host:port`) itself; to see what that server says now, it must be asked
the same way, since the system's resolver may know another one.

Source: RFC 1035, section 4; RFC 3596 (AAAA).
"""

import struct
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_INTERNET = 1
_ASK_RECURSION = 0x0100
_MOST_LABELS = 128


class RecordType(IntEnum):
    """The records that hold addresses."""

    A = 1
    AAAA = 28


class DnsAnswerError(ValueError):
    """The answer is none, or says that there is no such name."""


def question(name: str, record: RecordType, number: int) -> bytes:
    """The packet that asks for one kind of record.

    Args:
        name: the host, at most 253 characters in labels of at most 63.
        record: what is asked for.
        number: 0 to 65535; the answer has the same.

    >>> question("a.b", RecordType.A, 7)[HEADER.size :].hex(" ")
    '01 61 01 62 00 00 01 00 01'
    """
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return HEADER.pack(number, _ASK_RECURSION, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", record, _INTERNET)


def addresses(packet: bytes, number: int) -> list[str]:
    """The addresses that an answer holds; none if the name has none of that kind.

    Raises:
        DnsAnswerError: it is no answer to question `number`, it is cut off, or it says that it failed.
    """
    try:
        asked, flags, questions, answers, _, _ = HEADER.unpack_from(packet)
        if asked != number or not flags & 0x8000:
            raise DnsAnswerError("the answer is to another question")
        if code := flags & 0xF:
            raise DnsAnswerError(
                {3: "there is no such name", 2: "the server failed", 5: "the server refused"}.get(code, f"DNS error {code}")
            )
        place = HEADER.size
        for _ in range(questions):
            place = _after_name(packet, place) + 4
        found: list[str] = []
        for _ in range(answers):
            place = _after_name(packet, place)
            kind, _, _, size = _FIXED.unpack_from(packet, place)
            place += _FIXED.size
            data = packet[place : place + size]
            if kind == RecordType.A and size == 4:
                found.append(str(IPv4Address(data)))
            elif kind == RecordType.AAAA and size == 16:
                found.append(str(IPv6Address(data)))
            place += size
    except (struct.error, IndexError, ValueError) as error:
        if isinstance(error, DnsAnswerError):
            raise
        raise DnsAnswerError("the answer was cut off") from error
    return found


def _after_name(packet: bytes, place: int) -> int:
    """The place behind a name, which may end in a pointer to another one."""
    for _ in range(_MOST_LABELS):
        length = packet[place]
        if length & 0xC0:
            return place + 2
        place += 1 + length
        if not length:
            return place
    raise DnsAnswerError("a name has no end")
