"""A server that makes gRPC clients READY and lets them down soon after, and keeps count: the process behind `FlappingServer`.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.flapper <FlapperSettings>`. It speaks just enough of HTTP/2 (RFC 9113)
to be taken for a gRPC server that answers no call: preface, SETTINGS, PING and GOAWAY, on one asyncio loop for all connections. It
prints its port once it serves; to each line on its stdin it answers with one line of JSON (`counts`, `connections`, `calm`), and it
ends at the end of its stdin.
"""

import asyncio
import json
import math
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass

from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import not_to_be_had

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first (RFC 9113, section 3.4)."""
SETTINGS, PING, GOAWAY = 0x4, 0x6, 0x7
"""Frame types (section 6)."""
ACK = 0x1
HEADER = 9
"""Bytes of a frame's header: length, type, flags, stream."""


def frame(kind: int, flags: int = 0, payload: bytes = b"") -> bytes:
    """A frame of the whole connection, stream 0 (section 4.1).

    >>> frame(SETTINGS, ACK).hex(" ")
    '00 00 00 04 01 00 00 00 00'
    """
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + bytes(4) + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class FlapperSettings:
    """What the server is told on its command line; see `FlappingServer`."""

    hold: float | None
    flaps: int | None
    goaway: bool
    ports: tuple[int, ...]
    """To be tried in this order."""

    def as_argument(self) -> str:
        """The settings as one argument; `FlapperSettings(**json.loads(...))` reads it back."""
        return json.dumps(asdict(self))


class Flapper:
    """What all connections share: how long they are held, and the count."""

    def __init__(self, settings: FlapperSettings) -> None:
        self.hold = settings.hold
        self.goaway = settings.goaway
        self.flaps_left = math.inf if settings.flaps is None else settings.flaps
        self.accepted = 0
        self.closed = 0
        self.established: list[list[int | None]] = []
        """Of each connection whose client confirmed our SETTINGS: accepted, confirmed, gone (ns since 1970 UTC; None: not yet)."""

    def answer(self, question: str) -> object:
        """What a line on stdin asks for."""
        if question == "connections":
            return self.established
        if question == "calm":
            self.hold = None
        return {"accepted": self.accepted, "established": len(self.established), "closed": self.closed}


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, flapper: Flapper) -> None:
        self.flapper = flapper
        self.transport: asyncio.Transport | None = None
        self.heard = b""
        self.greeted = False
        self.accepted = time.time_ns()
        self.times: list[int | None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet: a server's preface is a SETTINGS frame, here an empty one."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.flapper.accepted += 1
        transport.write(frame(SETTINGS))

    def data_received(self, data: bytes) -> None:
        """Take up whole frames; the rest waits for more."""
        self.heard += data
        if not self.greeted:
            if len(self.heard) < len(PREFACE):
                return
            if not self.heard.startswith(PREFACE):
                self.close()
                return
            self.greeted = True
            self.heard = self.heard[len(PREFACE) :]
        while len(self.heard) >= HEADER:
            end = HEADER + int.from_bytes(self.heard[:3], "big")
            if len(self.heard) < end:
                return
            self.take(self.heard[3], self.heard[4], self.heard[HEADER:end])
            self.heard = self.heard[end:]

    def take(self, kind: int, flags: int, payload: bytes) -> None:
        """Act on one frame. What belongs to a call is ignored: nobody answers calls here."""
        if kind == SETTINGS and flags & ACK:
            self.establish()
        elif kind in {SETTINGS, PING} and not flags & ACK and self.transport:
            self.transport.write(frame(kind, ACK, payload if kind == PING else b""))

    def establish(self) -> None:
        """The client confirmed our SETTINGS, so it has become READY: count it, and perhaps let it down soon."""
        if self.times is None:
            self.times = [self.accepted, time.time_ns(), None]
            self.flapper.established.append(self.times)
            if self.flapper.hold is not None and self.flapper.flaps_left > 0:
                self.flapper.flaps_left -= 1
                asyncio.get_running_loop().call_later(self.flapper.hold, self.close)

    def close(self) -> None:
        """Let the client down, with a GOAWAY first if it shall be polite: last stream 0, NO_ERROR."""
        if self.transport and not self.transport.is_closing():
            if self.flapper.goaway:
                self.transport.write(frame(GOAWAY, payload=bytes(8)))
            self.flapper.closed += 1
            self.transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Note when it went, whoever ended it."""
        if self.times is not None:
            self.times[2] = time.time_ns()


async def serve(settings: FlapperSettings) -> None:
    """Serve until the end of stdin.

    Raises:
        OSError: the port is taken.
    """
    flapper = Flapper(settings)
    server = await listen(flapper, settings.ports)
    say(server.sockets[0].getsockname()[1])
    questions = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    async for question in questions:
        say(flapper.answer(question.decode().strip()))


def say(answer: object) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def listen(flapper: Flapper, ports: tuple[int, ...]) -> asyncio.Server:
    """Listen at the first of `ports` that is free.

    Raises:
        OSError: all are taken.
    """
    loop = asyncio.get_running_loop()
    for port in ports:
        with suppress(OSError):
            return await loop.create_server(lambda: Connection(flapper), "127.0.0.1", port, backlog=4096)
    raise not_to_be_had(ports)


if __name__ == "__main__":
    raise_file_limit()
    try:
        asyncio.run(serve(FlapperSettings(**json.loads(sys.argv[1]))))
    except OSError as error:
        sys.exit(str(error))
