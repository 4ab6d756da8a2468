"""A server of the lab that knows HTTP/1.1 alone, and answers 400 to whatever it is asked: what a gRPC client meets at a wrong port.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.http1_server <ServerSettings>`; its stdin and stdout are those of
`tinypool_nb.lab.server`.
"""

import asyncio
import sys

from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import not_to_be_had
from tinypool_nb.lab.servers import ServerSettings

RETRY = 0.02
"""Seconds between two rounds over ports that are taken."""
BODY = b"this server speaks HTTP/1.1\n"
ANSWER = (b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)) + BODY


class Connection(asyncio.Protocol):
    """One client's connection."""

    def __init__(self) -> None:
        self.heard = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a head is whole; HTTP/2's preface is made to look like one (RFC 9113, section 3.4)."""
        assert self.transport is not None
        self.heard = (self.heard + data)[-65_536:]
        if b"\r\n\r\n" in self.heard and not self.transport.is_closing():
            self.transport.write(ANSWER)
            self.transport.close()


async def listen(settings: ServerSettings) -> int:
    """Listen at the first port that is free, and tell which.

    Raises:
        OSError: all are taken, even after `settings.patience` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.patience
    while True:
        for port in settings.ports:
            try:
                await loop.create_server(Connection, settings.host, port, backlog=4096)
            except OSError:
                continue
            return port
        if loop.time() >= deadline:
            raise not_to_be_had(settings.ports, settings.host)
        await asyncio.sleep(RETRY)


async def serve(settings: ServerSettings) -> None:
    """Serve until stdin says otherwise; nothing is under way for long, so that every end is graceful.

    Raises:
        OSError: every port is taken.
    """
    sys.stdout.write(f"{await listen(settings)}\n")
    sys.stdout.flush()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        if line.startswith(b"stop"):
            break


if __name__ == "__main__":
    raise_file_limit()
    try:
        asyncio.run(serve(ServerSettings.parse(sys.argv[1])))
    except OSError as error:
        sys.exit(str(error))
