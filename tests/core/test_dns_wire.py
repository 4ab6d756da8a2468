"""A question for addresses and its answer, as bytes: good ones, refusals, and rubbish."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinypool_nb.core.dns_wire import HEADER, DnsAnswerError, RecordType, addresses, question

POINTER = b"\xc0\x0c"


def answer(*records: tuple[int, bytes], number: int = 7, flags: int = 0x8180) -> bytes:
    packet = HEADER.pack(number, flags, 1, len(records), 0, 0) + question("a.b", RecordType.A, 7)[HEADER.size :]
    for kind, data in records:
        packet += POINTER + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
    return packet


def test_an_answer_holds_addresses_of_both_kinds_and_names_on_the_way() -> None:
    alias = (5, b"\x01c\x01d\x00")
    packet = answer(alias, (1, bytes([10, 0, 0, 1])), (28, bytes(15) + b"\x01"), (1, b"too long"))
    assert addresses(packet, 7) == ["10.0.0.1", "::1"]
    assert addresses(answer(), 7) == []


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (answer(flags=0x8183), "no such name"),
        (answer(flags=0x8182), "the server failed"),
        (answer(number=8), "another question"),
        (question("a.b", RecordType.A, 7), "another question"),
        (answer((1, bytes(4)))[:-12], "cut off"),
        (b"", "cut off"),
    ],
)
def test_what_is_no_answer_says_why(packet: bytes, words: str) -> None:
    with pytest.raises(DnsAnswerError, match=words):
        addresses(packet, 7)


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_read_and_nothing_else(rubbish: bytes) -> None:
    with suppress(DnsAnswerError):
        assert all(isinstance(each, str) for each in addresses(HEADER.pack(7, 0x8180, 1, 3, 0, 0) + rubbish, 7))
