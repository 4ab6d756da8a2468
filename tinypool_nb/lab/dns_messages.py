"""Messages of DNS, as far as a small server needs them: one question in, the answer out. Pure. Source: RFC 1035, section 4."""

import struct
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple

HEADER = struct.Struct(">6H")
UDP_LIMIT = 512
"""Bytes of an answer by UDP; a longer one is truncated, and asked for again by TCP (section 4.2.1)."""
RESPONSE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE, AUTHORITATIVE = 0x8000, 0x0200, 0x0100, 0x0080, 0x0400
INTERNET = 1
"""The class of all names here."""
HERE = 0xC000 | HEADER.size
"""A pointer to the question's name (section 4.1.4), in place of saying it again."""
TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 65: "HTTPS", 255: "ANY"}


class Rcode(IntEnum):
    """How a question is answered (section 4.1.1)."""

    NOERROR = 0
    FORMERR = 1
    """The question is not understood."""
    SERVFAIL = 2
    NXDOMAIN = 3
    """There is no such name."""


class Question(NamedTuple):
    """What a resolver asks."""

    number: int
    """Its id, which the answer repeats."""
    recursion: bool
    """Whether it wants the server to ask others; the answer repeats it."""
    name: str
    """Lower case, without the dot at the end."""
    kind: str
    """A, AAAA, TXT, ...; `TYPE42` if it is none of those known here."""
    text: bytes
    """Name, type and class as they came, which the answer repeats."""


def parse_question(message: bytes) -> Question:
    """The question in a message.

    >>> parse_question(bytes.fromhex("002a 0100 0001 0000 0000 0000 0161 0474657374 00 0001 0001"))[:4]
    (42, True, 'a.test', 'A')

    Raises:
        ValueError: it holds none.
    """
    try:
        number, flags, questions, *_ = HEADER.unpack_from(message)
        labels, at = [], HEADER.size
        while length := message[at]:
            if length > 63 or at + 1 + length > len(message):
                raise ValueError("a label is too long")
            labels.append(message[at + 1 : at + 1 + length].decode("latin-1").lower())
            at += 1 + length
        kind, _class = struct.unpack_from(">2H", message, at + 1)
    except (struct.error, IndexError) as error:
        raise ValueError(f"the message is too short: {error}") from None
    if flags & RESPONSE or questions != 1:
        raise ValueError("it is no message with one question")
    return Question(
        number, bool(flags & RECURSION_DESIRED), ".".join(labels), TYPES.get(kind, f"TYPE{kind}"), message[HEADER.size : at + 5]
    )


def answered(question: Question, rcode: Rcode, addresses: tuple[str, ...] = (), *, ttl: int = 0, limit: int | None = None) -> bytes:
    """The answer to a question.

    Args:
        question: which.
        rcode: whether it is one.
        addresses: of the name, IPv4 and IPv6; only those of the type that is asked for are told.
        ttl: seconds for which they may be kept.
        limit: bytes that the answer may have; a longer one tells no address, and that it is truncated. None: no limit.
    """
    records = [_record(address, ttl) for address in addresses if question.kind in {_kind(address), "ANY"}]
    whole = _message(question, rcode, records)
    return whole if limit is None or len(whole) <= limit else _message(question, rcode, [], TRUNCATED)


def _message(question: Question, rcode: Rcode, records: list[bytes], flags: int = 0) -> bytes:
    flags |= RESPONSE | AUTHORITATIVE | RECURSION_AVAILABLE | rcode | (RECURSION_DESIRED if question.recursion else 0)
    return HEADER.pack(question.number, flags, 1, len(records), 0, 0) + question.text + b"".join(records)


def _record(address: str, ttl: int) -> bytes:
    packed = ip_address(address).packed
    return struct.pack(">3HIH", HERE, 1 if len(packed) == 4 else 28, INTERNET, ttl, len(packed)) + packed


def _kind(address: str) -> str:
    return "A" if ip_address(address).version == 4 else "AAAA"
