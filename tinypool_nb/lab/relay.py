"""The relay: one process that carries all connections through a lab's proxies, and does to them what faults want.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.relay`, and `tinypool_nb.lab.asking` talks with it:

    {"verb": "open", "host": "127.0.0.1", "ports": [20001, ...], "target": ["127.0.0.1", 20002]}   -> {"proxy": 1, "port": 20001}
    {"verb": "begin", "proxy": 1, "fault": 7, "settings": {...}}
    {"verb": "end", "proxy": 1, "fault": 7}
    {"verb": "counts", "proxy": 1}                                                                 -> {"accepted": ..., ...}
    {"verb": "close", "proxy": 1}
"""

import asyncio
import itertools
import math
import random
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import Any

from tinypool_nb.lab.answering import answer_questions
from tinypool_nb.lab.injected import FaultKind, FaultSettings, Injected, Piece, delay, largest, note, pause
from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import not_to_be_had

CHUNK = 1 << 16
"""Bytes that are read in one go."""
WINDOW = 1 << 18
"""Bytes of one connection and direction that may wait here; then its source is read no further, and TCP slows it down."""
PIECE_COST = 256
"""Bytes that a piece takes beside its data."""
BACKLOG = 4096
"""Connections that may wait to be accepted."""
CONNECTING = 20.0
"""Seconds that a server gets to accept a connection."""
LINGERING = 1.0
"""Seconds in which both ends of a connection that is closed here may close it too; what they still say is dropped."""
RETRY = 0.05
"""Seconds until the next try to accept, when the system has no file descriptor left."""


class Cut(Exception):  # noqa: N818  # no error: the orderly end of a connection
    """The connection is to be closed toward both ends."""


class Reset(Exception):  # noqa: N818  # as Cut
    """The connection is to be reset toward both ends."""


class Link:
    """One proxy: a listening socket, the faults on the way, and the connections that pass it."""

    def __init__(self, host: str, ports: tuple[int, ...], target: tuple[str, int]) -> None:
        self.target = target
        self.faults: dict[int, Injected] = {}
        self.connections: set[Connection] = set()
        self.accepted = 0
        self.passed = {True: 0, False: 0}
        """Bytes that went to clients (True) and to the server."""
        self.loop = asyncio.get_running_loop()
        self.changed: asyncio.Future[None] = self.loop.create_future()
        """Done at the next change of the faults."""
        self.host = host
        self.port = 0
        self.listener: socket.socket | None = None
        self.accepting: asyncio.Task[None] | None = None
        self.stopper: socket.socket | None = None
        """Of a blackhole: a connection of our own that fills the backlog, so that the kernel drops each SYN."""
        self.stoppers: set[object] = set()
        """The addresses of stoppers, to be told from clients once they are accepted."""
        self.listen(ports)

    def has(self, kind: FaultKind) -> bool:
        """Whether there is a fault of that kind."""
        return any(fault.settings.kind is kind for fault in self.faults.values())

    def begin(self, number: int, settings: FaultSettings) -> None:
        """Put a fault on the way."""
        self.faults[number] = Injected(number, settings, self.loop.time(), {})
        self.change()
        if settings.kind is FaultKind.ACCEPT_AND_CLOSE:
            self.end_connections(Cut())
        elif settings.kind is FaultKind.RESET and not settings.on_data:
            self.end_connections(Reset())

    def end(self, number: int) -> None:
        """Take it away again."""
        self.faults.pop(number, None)
        self.change()

    def change(self) -> None:
        """Let everything that waits look at the faults anew, and listen as they want it."""
        changed, self.changed = self.changed, self.loop.create_future()
        changed.set_result(None)
        if self.has(FaultKind.REFUSE):
            self.stop_listening()
            return
        if self.listener is None:
            self.listen((self.port,))
        if self.has(FaultKind.BLACKHOLE):
            self.drop_syns()
        else:
            self.take_syns()

    async def wait(self, seconds: float) -> None:
        """Wait until the faults change, at most that long."""
        await asyncio.wait([self.changed], timeout=None if seconds == math.inf else seconds)

    def listen(self, ports: tuple[int, ...]) -> None:
        """Listen at the first of `ports` that is free.

        Raises:
            OSError: all are taken.
        """
        for port in ports:
            listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, port))
                listener.listen(BACKLOG)
            except OSError:
                listener.close()
                continue
            self.listener, self.port = listener, port
            self.accepting = self.loop.create_task(self.accept(listener))
            return
        raise not_to_be_had(ports, self.host)

    def stop_listening(self) -> None:
        """Have the port refuse."""
        if self.listener is not None:
            self.stop_accepting()
            self.listener.close()  # with all that waited there
            self.listener = None
            self.stoppers.clear()
        if self.stopper is not None:
            self.stopper.close()
            self.stopper = None

    def stop_accepting(self) -> None:
        """Take up no connection."""
        if self.accepting is not None and self.listener is not None:
            self.accepting.cancel()
            self.loop.remove_reader(self.listener)  # now: its file descriptor may be another socket's before the task hears of it
            self.accepting = None

    def drop_syns(self) -> None:
        """Let connections neither succeed nor be refused: Linux drops a SYN when the backlog is full."""
        if self.stopper is None and self.listener is not None:
            self.stop_accepting()
            self.listener.listen(0)
            self.stopper = socket.socket(self.listener.family)
            self.stopper.setblocking(False)
            self.stopper.connect_ex((self.host, self.port))
            self.stoppers.add(self.stopper.getsockname())

    def take_syns(self) -> None:
        """Accept again."""
        if self.stopper is not None and self.listener is not None:
            self.stopper.close()
            self.stopper = None
            self.listener.listen(BACKLOG)
            self.accepting = self.loop.create_task(self.accept(self.listener))

    async def accept(self, listener: socket.socket) -> None:
        """Take up connections, until cancelled."""
        while True:
            try:
                client, address = await self.loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(RETRY)
                continue
            if address in self.stoppers:
                self.stoppers.remove(address)
                client.close()
                continue
            self.accepted += 1
            connection = Connection(self, client)
            self.connections.add(connection)
            connection.task.add_done_callback(lambda _, connection=connection: self.connections.discard(connection))  # type: ignore[misc]

    def end_connections(self, how: Exception) -> None:
        """End every connection that stands."""
        for connection in self.connections:
            if not connection.ending.done():
                connection.ending.set_result(how)

    def close(self) -> None:
        """Refuse, and reset what stands."""
        self.stop_listening()
        self.end_connections(Reset())

    def counts(self) -> dict[str, int]:
        """What went through."""
        return {
            "accepted": self.accepted,
            "standing": len(self.connections),
            "to_server": self.passed[False],
            "to_client": self.passed[True],
        }


class Connection:
    """A client's connection and its continuation to the server."""

    def __init__(self, link: Link, client: socket.socket) -> None:
        self.link = link
        self.client = client
        self.accepted = link.loop.time()
        self.ending: asyncio.Future[Exception] = link.loop.create_future()
        self.passed: dict[int, int] = {}
        """See `largest`."""
        self.broken: set[socket.socket] = set()
        """The ends that could not be written to: the system tells of a reset once, and from then on reads like an orderly end."""
        self.task = link.loop.create_task(self.run())

    async def run(self) -> None:
        """Carry both directions until both have ended, or one broke."""
        ends = [self.client]
        try:
            async with asyncio.TaskGroup() as group:
                ending = group.create_task(self.watch())
                group.create_task(self.carry(ends, ending))
        except* Cut:
            await linger(ends)
        except* (Reset, OSError):
            for end in ends:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST
        finally:
            for end in ends:
                end.close()

    async def connect(self, ends: list[socket.socket]) -> socket.socket:
        """The continuation, which is among `ends` from the first moment: whatever interrupts this ends it as it ends the client's.

        Raises:
            OSError: the server refuses, or does not answer.
        """
        loop = self.link.loop
        error: OSError = ConnectionRefusedError()
        for family, kind, protocol, _, address in await loop.getaddrinfo(*self.link.target, type=socket.SOCK_STREAM):
            server = socket.socket(family, kind, protocol)
            server.setblocking(False)
            ends.append(server)
            try:
                async with asyncio.timeout(CONNECTING):  # not wait_for: Python 3.11's may swallow a cancellation
                    await loop.sock_connect(server, address)
            except OSError as failed:
                ends.remove(server)
                server.close()
                error = failed
            else:
                return server
        raise error

    async def watch(self) -> None:
        """End it when that is asked for."""
        raise await self.ending

    async def carry(self, ends: list[socket.socket], ending: "asyncio.Task[None]") -> None:
        """Connect, and carry both directions to their ends.

        Raises:
            Cut: nobody is connected, since a fault wants it so.
            OSError: the server refuses, or does not answer.
        """
        if self.link.has(FaultKind.ACCEPT_AND_CLOSE):
            raise Cut
        server = await self.connect(ends)
        for end in ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.TaskGroup() as group:
            for flow in (Flow(self, self.client, server, to_client=False), Flow(self, server, self.client, to_client=True)):
                group.create_task(flow.read())
                group.create_task(flow.write())
        ending.cancel()


class Flow:
    """One direction of a connection."""

    def __init__(self, connection: Connection, source: socket.socket, sink: socket.socket, *, to_client: bool) -> None:
        self.connection = connection
        self.link = connection.link
        self.loop = self.link.loop
        self.source = source
        self.sink = sink
        self.to_client = to_client
        self.waiting: deque[Piece] = deque()
        self.size = 0
        """Bytes that wait, with what they cost beside."""
        self.moved = asyncio.Event()
        """Set when something was read or written."""
        self.sent = -math.inf
        """When the last byte was sent."""

    async def read(self) -> None:
        """Take up what the source says, until its end."""
        while True:
            while self.size >= WINDOW:
                self.moved.clear()
                await self.moved.wait()
            try:
                data = await self.loop.sock_recv(self.source, CHUNK)
                reset = not data and self.source in self.connection.broken
            except OSError:
                data, reset = b"", True
            self.waiting.append(Piece(data, self.loop.time(), random.uniform(-1, 1), reset))  # noqa: S311  # no secret
            self.size += len(data) + PIECE_COST
            self.moved.set()
            if not data:
                return

    async def write(self) -> None:
        """Hand on what was read, as the faults let it."""
        while True:
            while not self.waiting:
                self.moved.clear()
                await self.moved.wait()
            piece = self.waiting.popleft()
            await self.hold(piece)
            if piece.reset:
                raise Reset
            if not piece.data:
                with suppress(OSError):  # the other end is gone already
                    self.sink.shutdown(socket.SHUT_WR)
                return
            await self.send(piece)
            self.size -= len(piece.data) + PIECE_COST
            self.moved.set()

    async def hold(self, piece: Piece, *, back: bool = False) -> None:
        """Wait until a piece, or what is left of it, may go on; or `back`, if it is for the source."""
        link, to_client = self.link, self.to_client is not back
        while faults := link.faults:
            now = self.loop.time()
            seconds = max(
                delay(faults.values(), piece, now, to_client=to_client, accepted=self.connection.accepted),
                pause(faults.values(), self.sent, now, to_client=to_client) if piece.data else 0.0,
            )
            if seconds <= 0:
                return
            await link.wait(seconds)

    async def send(self, piece: Piece) -> None:
        """Send a piece, in parts if a fault or a slow sink wants it so."""
        link, passed = self.link, self.connection.passed
        rest = memoryview(piece.data)
        while rest:
            await self.hold(piece)
            faults = tuple(link.faults.values())
            if faults and link.has(FaultKind.RESET):
                raise Reset
            most = largest(faults, passed) if faults else None
            if most == 0:
                raise Cut
            try:
                size = self.sink.send(rest[:most])
            except BlockingIOError:
                await self.writable()
                continue
            except OSError as gone:  # the sink is; that reaches the source as every end does
                self.connection.broken.add(self.sink)
                await self.hold(Piece(b"", self.loop.time(), 0.0, reset=True), back=True)
                raise Reset from gone
            rest = rest[size:]
            link.passed[self.to_client] += size
            if faults:
                self.sent = self.loop.time()
                note(faults, passed, size, self.sent, to_client=self.to_client)
                if largest(faults, passed) == 0:
                    raise Cut

    async def writable(self) -> None:
        """Wait until the sink takes more."""
        ready = asyncio.Event()
        self.loop.add_writer(self.sink, ready.set)
        try:
            await ready.wait()
        finally:
            self.loop.remove_writer(self.sink)


async def linger(ends: list[socket.socket]) -> None:
    """Say FIN to both ends and drop what they still say, since a close with unread data would be a reset."""
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_WR)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGERING):
            await asyncio.gather(*map(drain, ends))


async def drain(end: socket.socket) -> None:
    """Read until the end, and drop it."""
    with suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(end, CHUNK):
            pass


class Relay:
    """All links, by their numbers."""

    def __init__(self) -> None:
        self.links: dict[int, Link] = {}
        self.numbers = itertools.count(1)

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do what a question asks for.

        Raises:
            OSError: it cannot be done.
        """
        if question["verb"] == "open":
            host, port = question["target"]
            link = Link(question["host"], tuple(question["ports"]), (host, port))
            number = next(self.numbers)
            self.links[number] = link
            return {"proxy": number, "port": link.port}
        link = self.links[question["proxy"]]
        match question["verb"]:
            case "begin":
                link.begin(question["fault"], FaultSettings.parse(question["settings"]))
            case "end":
                link.end(question["fault"])
            case "counts":
                return link.counts()
            case "close":
                self.links.pop(question["proxy"]).close()
        return {}


if __name__ == "__main__":
    raise_file_limit()
    asyncio.run(answer_questions(Relay().answer))
