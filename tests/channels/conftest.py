"""Real gRPC servers on loopback for the tests of the channels room: every kind of call, and calls that wait to be let go."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Semaphore
from typing import Any

import pytest

from tests.channels.peers import Handler
from tests.ports import bound, listening
from tinypool_nb.channels.environment import prepare

prepare()

import grpc  # noqa: E402  gRPC reads the environment while it loads

SERVICE = "echo"
"""Below the ephemeral ports, else a client's own port may be one of ours."""


class EchoServer:
    """Every answer begins with the server's port, so that a test sees who gave it."""

    def __init__(self) -> None:
        self.entered = Semaphore(0)
        """Released once for each call that waits."""
        self.gate = Event()
        """Lets the waiting calls go."""
        self.metadata: list[tuple[str, str | bytes]] = []
        """Of the last Unary call."""
        self._threads = ThreadPoolExecutor(40)
        self._server = grpc.server(self._threads, options=[("grpc.so_reuseport", 0)])
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "Peer": grpc.unary_unary_rpc_method_handler(lambda _request, context: context.peer().encode()),
            "Waiting": grpc.unary_unary_rpc_method_handler(self._waiting),
            "Refused": grpc.unary_unary_rpc_method_handler(lambda _request, context: context.abort(grpc.StatusCode.NOT_FOUND, "no such")),
            "Responses": grpc.unary_stream_rpc_method_handler(self._responses),
            "Requests": grpc.stream_unary_rpc_method_handler(self._requests),
            "Both": grpc.stream_stream_rpc_method_handler(self._both),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        self.port = bound(self._server)
        self.name = str(self.port).encode()
        self.target = f"ipv4:127.0.0.1:{self.port}"
        self._server.start()

    def stop(self) -> None:
        self.gate.set()
        self._server.stop(None).wait()
        self._threads.shutdown(wait=True)

    def _unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.metadata = [(item[0], item[1]) for item in context.invocation_metadata()]
        return self.name + b":" + request

    def _waiting(self, request: bytes, _context: object) -> bytes:
        self.entered.release()
        self.gate.wait(10)
        return self.name + b":" + request

    def _responses(self, request: bytes, _context: object) -> Iterator[bytes]:
        yield self.name
        for byte in request:
            yield bytes([byte])

    def _requests(self, requests: Iterator[bytes], _context: object) -> bytes:
        return self.name + b":" + b"".join(requests)

    def _both(self, requests: Iterator[bytes], _context: object) -> Iterator[bytes]:
        for request in requests:
            yield self.name + b":" + request


@pytest.fixture
def start_server() -> Iterator[Callable[[], EchoServer]]:
    """Starts as many servers as are asked for; all are stopped at the end."""
    started: list[EchoServer] = []

    def start() -> EchoServer:
        started.append(EchoServer())
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def listen() -> Iterator[Callable[..., socket.socket]]:
    """Opens listening sockets, on a free port or on the one that is asked for; closes them at the end."""
    opened: list[socket.socket] = []

    def open_(port: int | None = None) -> socket.socket:
        opened.append(listening() if port is None else socket.create_server(("127.0.0.1", port)))
        return opened[-1]

    yield open_
    for listener in opened:
        listener.close()


@pytest.fixture
def await_state() -> Callable[..., None]:
    """Waits until a channel's state is, or is not, one of gRPC core's numbers (0 IDLE ... 4 SHUTDOWN)."""
    return _await_state


def _await_state(channel: Any, *, wanted: int | None = None, unwanted: int | None = None, timeout: float = 10.0) -> None:
    core, deadline = channel._channel, time.time() + timeout
    state = core.check_connectivity_state(True)
    while (wanted is not None and state != wanted) or (unwanted is not None and state == unwanted):
        assert time.time() < deadline, f"the state was {state} for too long"
        core.watch_connectivity_state(state, min(deadline, time.time() + 0.2))
        state = core.check_connectivity_state(False)


@pytest.fixture
def serve(listen: Callable[..., socket.socket]) -> Iterator[Callable[[Handler], str]]:
    """Starts tiny servers: each connection is given to the handler, then closed. Gives the address."""
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []
    peers: list[socket.socket] = []

    def one(peer: socket.socket, handler: Handler) -> None:
        with peer, suppress(OSError):
            handler(peer)

    def accept(listener: socket.socket, handler: Handler) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                start(one, peer, handler)

    def start(work: Callable[..., None], *arguments: object) -> None:
        threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        threads[-1].start()

    def serve(handler: Handler) -> str:
        listener = listen()
        listeners.append(listener)
        start(accept, listener, handler)
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for each in [*listeners, *peers]:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)
