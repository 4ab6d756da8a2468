"""Both ends of a forwarded port against each other: nothing is lost, nothing blocks, and what is broken ends."""

import os
import random
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tinypool_nb.core.websockets import Opcode, frame
from tinypool_nb.discovery.channels import MOST_UNSENT, Channels, End


@dataclass
class Way:
    """A near socket, a far one, and a WebSocket between them."""

    near: socket.socket
    far: socket.socket
    middle: socket.socket
    """The client's end of the WebSocket."""
    failures: list[str] = field(default_factory=list)
    openings: list[bool] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def await_end(self) -> None:
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


@pytest.fixture
def way() -> Iterator[Way]:
    (near, of_client), (client, server), (of_server, far) = (socket.socketpair() for _ in range(3))
    way = Way(near, far, client)
    ends = Channels(
        End(client),
        [End(of_client)],
        mask=lambda: os.urandom(4),
        failed=way.failures.append,
        opened=lambda: way.openings.append(True),
    )
    serving = Channels(End(server), [End(of_server)])
    for channel in (0, 1):
        serving.say(channel, (50051).to_bytes(2, "little"))
    way.threads = [threading.Thread(target=each.run) for each in (ends, serving)]
    for thread in way.threads:
        thread.start()
    for each in (near, far):
        each.settimeout(10)
    yield way
    near.close()
    far.close()
    way.await_end()


def read(source: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        piece = source.recv(size - len(found))
        assert piece
        found += piece
    return bytes(found)


def test_both_ways_at_once_however_slowly_they_are_read(way: Way) -> None:
    sizes = 6 * MOST_UNSENT
    there, back = (random.Random(seed).randbytes(sizes) for seed in (1, 2))
    senders = [threading.Thread(target=each.sendall, args=(data,)) for each, data in ((way.near, there), (way.far, back))]
    for sender in senders:
        sender.start()
    assert read(way.near, sizes) == back  # while nobody reads at the far end, and much waits there
    assert read(way.far, sizes) == there
    for sender in senders:
        sender.join(5)
    assert (way.failures, way.openings) == ([], [True])


def test_the_end_of_one_is_the_end_of_all_and_what_was_said_arrives(way: Way) -> None:
    way.far.sendall(b"last words")
    way.far.close()
    assert read(way.near, 10) == b"last words"
    assert way.near.recv(1) == b""
    way.await_end()
    assert way.failures == []


def test_a_websocket_that_breaks_ends_both(way: Way) -> None:
    way.middle.shutdown(socket.SHUT_RDWR)
    assert way.near.recv(1) == b""
    assert way.far.recv(1) == b""
    way.await_end()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\n", "sent no WebSocket"),
        (frame(Opcode.BINARY, b"\x07abc"), "no channel 7"),
        (frame(Opcode.BINARY, b"\x00abc"), "did not begin with its port"),
        (frame(Opcode.BINARY, b"\x01ab") + frame(Opcode.BINARY, b"\x01no such port"), "no such port"),
    ],
)
def test_what_a_server_says_wrong_is_told(said: bytes, reason: str) -> None:
    (client, server), (near, of_client) = socket.socketpair(), socket.socketpair()
    failures: list[str] = []
    with server, near:
        server.sendall(said)
        Channels(End(client), [End(of_client)], mask=lambda: os.urandom(4), failed=failures.append).run()
        assert near.recv(1) == b""
    assert len(failures) == 1
    assert reason in failures[0]


def test_a_ping_and_a_farewell_are_answered() -> None:
    (client, server), (near, of_client) = socket.socketpair(), socket.socketpair()
    with near:
        server.sendall(frame(Opcode.PING, b"?") + frame(Opcode.CLOSE, b""))
        Channels(End(client), [End(of_client)]).run()
        assert server.recv(100) == frame(Opcode.PONG, b"?") + frame(Opcode.CLOSE, b"")
    server.close()
