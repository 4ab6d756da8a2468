"""WebSocket frames, held to RFC 6455's examples and to another implementation."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.stream.ws_client import ABNF  # type: ignore[attr-defined]  # which comes with it

from tinypool_nb.core.websockets import BrokenFrameError, Decoder, Message, Opcode, frame

PAYLOADS = st.binary(max_size=300) | st.integers(0, 70_000).map(lambda size: b"x" * size)
MASKS = st.just(b"") | st.binary(min_size=4, max_size=4)


def test_the_examples_of_the_specification() -> None:
    """RFC 6455, section 5.7."""
    assert frame(Opcode.TEXT, b"Hello").hex() == "810548656c6c6f"
    assert frame(Opcode.TEXT, b"Hello", bytes.fromhex("37fa213d")).hex() == "818537fa213d7f9f4d5158"
    assert [*Decoder().feed(bytes.fromhex("010348656c80026c6f"))] == [Message(Opcode.TEXT, b"Hello")]
    assert frame(Opcode.BINARY, bytes(256))[:4].hex() == "827e0100"
    assert frame(Opcode.BINARY, bytes(65_536))[:10].hex() == "827f0000000000010000"


@given(messages=st.lists(st.tuples(st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.PING]), PAYLOADS, MASKS)), cut=st.integers(1, 50))
def test_what_is_sent_arrives_however_it_is_cut(messages: list[tuple[Opcode, bytes, bytes]], cut: int) -> None:
    sent = b"".join(frame(*message) for message in messages)
    decoder = Decoder()
    step = max(cut, len(sent) // 200)
    got = [message for start in range(0, len(sent), step) for message in decoder.feed(sent[start : start + step])]
    assert got == [Message(opcode, payload) for opcode, payload, _ in messages]


@given(payload=PAYLOADS)
def test_another_implementation_writes_what_is_read(payload: bytes) -> None:
    written = ABNF.create_frame(payload, ABNF.OPCODE_BINARY).format()
    assert [*Decoder().feed(written)] == [Message(Opcode.BINARY, payload)]


def test_a_control_frame_may_stand_within_a_message() -> None:
    pieces = b"\x02\x01a" + frame(Opcode.PING, b"?") + b"\x80\x01b"
    assert [*Decoder().feed(pieces)] == [Message(Opcode.PING, b"?"), Message(Opcode.BINARY, b"ab")]


@pytest.mark.parametrize("data", [b"\xc2\x00", b"\x83\x00", b"\x80\x00", b"\x02\x00\x82\x00", b"\x82\x7f" + b"\x7f" * 8, b"HTTP/1.1 400"])
def test_what_is_no_websocket_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrameError):
        list(Decoder().feed(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(BrokenFrameError):
        list(Decoder().feed(data))
