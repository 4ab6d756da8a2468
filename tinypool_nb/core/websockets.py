"""WebSocket frames (RFC 6455), and how Kubernetes carries ports in them. Pure: bytes in, messages out.

Kubernetes' subprotocol `v4.channel.k8s.io`: the first byte of each message is its channel. The n-th port that was asked for has channel
2n for its bytes and 2n + 1 for what goes wrong; on each the server first says the port, as two bytes, the low one first.
"""

import base64
import hashlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

SUBPROTOCOL = "v4.channel.k8s.io"
LONGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes. Kubernetes cuts what it carries into pieces of some 32 KiB."""
_SALT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Opcode(IntEnum):
    """What a frame is for (RFC 6455, section 5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Message(NamedTuple):
    """A whole message, or a control frame."""

    opcode: Opcode
    payload: bytes


def accept_of(key: str) -> str:
    """What a server answers to that Sec-WebSocket-Key.

    >>> accept_of("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return base64.b64encode(hashlib.sha1((key + _SALT).encode(), usedforsecurity=False).digest()).decode()


def frame(opcode: Opcode, payload: bytes, mask: bytes = b"") -> bytes:
    """One frame that is a whole message.

    Args:
        opcode: what it is for.
        payload: what it says.
        mask: four random bytes, which a client must give and a server must not.

    >>> frame(Opcode.BINARY, b"abc").hex()
    '8203616263'
    """
    masked = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, masked | size))
    elif size < 65_536:
        head = bytes((0x80 | opcode, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, masked | 127)) + size.to_bytes(8, "big")
    return head + mask + (_masked(payload, mask) if mask else payload)


class BrokenFrameError(ValueError):
    """The peer sends what is no WebSocket frame; the connection is of no use any more."""


class Decoder:
    r"""Bytes as they come -> messages.

    >>> decoder = Decoder()
    >>> [*decoder.feed(b"\x82\x03ab")], [*decoder.feed(b"c")]
    ([], [Message(opcode=<Opcode.BINARY: 2>, payload=b'abc')])
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun: Opcode | None = None
        self._parts = bytearray()

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that this piece completes.

        Raises:
            BrokenFrameError: it is no WebSocket any more.
        """
        self._rest += piece
        while (found := _first(self._rest)) is not None:
            opcode, is_last, payload, size = found
            del self._rest[:size]
            if opcode >= Opcode.CLOSE:
                yield Message(opcode, payload)
                continue
            if (opcode is Opcode.CONTINUATION) != (self._begun is not None):
                raise BrokenFrameError("a message began within another one, or went on without a beginning")
            self._begun = self._begun or opcode
            self._parts += payload
            if len(self._parts) > LONGEST_MESSAGE:
                raise BrokenFrameError(f"a message has more than {LONGEST_MESSAGE:,} bytes")
            if is_last:
                message = Message(self._begun, bytes(self._parts))
                self._begun, self._parts = None, bytearray()
                yield message


def _first(data: bytearray) -> tuple[Opcode, bool, bytes, int] | None:
    """(opcode, whether the message ends with it, payload, bytes in all) of the first frame; None if it is not all there."""
    if len(data) < 2:
        return None
    head, size = data[0], data[1] & 0x7F
    if head & 0x70:
        raise BrokenFrameError("reserved bits are set, and no extension was agreed on")
    try:
        opcode = Opcode(head & 0x0F)
    except ValueError:
        raise BrokenFrameError(f"there is no opcode {head & 0x0F:#x}") from None
    start = 2
    if size >= 126:
        start += 2 if size == 126 else 8
        size = int.from_bytes(data[2:start], "big") if len(data) >= start else 0
    if size > LONGEST_MESSAGE:
        raise BrokenFrameError(f"a frame has more than {LONGEST_MESSAGE:,} bytes")
    is_masked = bool(data[1] & 0x80)
    end = start + 4 * is_masked + size
    if len(data) < max(start, end):
        return None
    payload = bytes(data[end - size : end])
    return opcode, bool(head & 0x80), _masked(payload, bytes(data[start : start + 4])) if is_masked else payload, end


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Each byte combined with one of the mask; twice gives the payload again."""
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
