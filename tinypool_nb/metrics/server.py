"""One HTTP server for one collector, on an address and port of its own.

`prometheus_client.start_http_server` would do but for its end: it looks twice a second whether it is to stop, so closing waits for
that, and a finalizer may not wait. This one sleeps until somebody connects, and is ended by closing a socket.
"""

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import ThreadingHTTPServer
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.registry import Collector

from tinypool_nb.errors import OptionsError

log = logging.getLogger("tinypool_nb.metrics")

SLOWEST = 10.0
"""Seconds that a client may take to ask, and to take the answer."""

BREATH = 0.1
"""Seconds before it looks again, where a client could not be let in."""
ADDRESSES = "an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all"


class MetricsServer:
    """Serves a collector's metrics over HTTP until it is closed.

    Args:
        collector: asked anew at each scrape.
        port: from 0 to 65535; 0 takes a free one.
        address: of this machine, or a name of it.

    Raises:
        OptionsError: the port or the address is none, or is not to be had.

    >>> from prometheus_client import CollectorRegistry
    >>> server = MetricsServer(CollectorRegistry(), port=0)
    >>> server.url == f"http://127.0.0.1:{server.port}/metrics"
    True
    >>> server.close()
    >>> server
    <MetricsServer closed>
    """

    def __init__(self, collector: Collector, port: int, address: str = "127.0.0.1") -> None:
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65_535:
            raise OptionsError("port", port, "an int from 0 to 65535; 0 takes a free port")
        if not isinstance(address, str) or not address:  # to getaddrinfo, "" is every address
            raise OptionsError("address", address, ADDRESSES)
        with ExitStack() as undo:  # what may fail does so here, and not in the thread
            with _refusing(port, address):
                server = undo.enter_context(_Server(collector, port, address))
            self._alarm, alarm = map(undo.enter_context, socket.socketpair())
            selector = undo.enter_context(DefaultSelector())
            selector.register(server, EVENT_READ)
            selector.register(alarm, EVENT_READ)
            self.port: int = server.server_port
            """The port, also where a free one was taken."""
            self.address = address
            self.url = f"http://{f'[{address}]' if ':' in address else address}:{self.port}/metrics"
            self._made_in = os.getpid()
            self._thread = threading.Thread(target=_serve, args=(server, alarm, selector), name="tinypool-metrics", daemon=True)
            self._thread.start()
            undo.pop_all()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._alarm.fileno() == -1

    def close(self) -> None:
        """Serve no more; whoever is being answered is cut off. Nothing happens the second time."""
        self.abandon()
        if self._thread is not threading.current_thread() and self._made_in == os.getpid():
            self._thread.join()

    def abandon(self) -> None:
        """As `close`, but without waiting or locking, for a finalizer."""
        self._alarm.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self.is_closed else self.url}>"


def _serve(server: "_Server", alarm: socket.socket, selector: BaseSelector) -> None:
    """Answer until the other end of `alarm` is closed."""
    with server, alarm, selector:
        while all(key.fileobj is not alarm for key, _ in selector.select()):
            server.handle_request()
    server.hang_up()


class _Server(ThreadingHTTPServer):
    """A thread a request, so that a slow client keeps no other one waiting."""

    allow_reuse_port = False  # else two pools could have one port, and answer by turns
    timeout = 0.0  # handle_request is called when there is one

    def __init__(self, collector: Collector, port: int, address: str) -> None:
        shown = CollectorRegistry()
        shown.register(collector)
        family, *_, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self.address_family = family
        self._clients: set[Any] = set()
        super().__init__((str(where[0]), port), type("Handler", (_Handler,), {"registry": shown}))

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer would also ask for the address's name, for which a name server may take its time
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(BREATH)  # no descriptor is free, so the client still waits, and the next look would come at once
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        self._clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._clients.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 as its base has it
        """A client that went away is no event, and nothing is printed from a thread."""
        log.debug("a scrape by %s was broken off", client_address)

    def hang_up(self) -> None:
        """End what clients keep open, and so the threads that serve them."""
        for client in tuple(self._clients):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


class _Handler(MetricsHandler):
    """Answers any GET with the metrics, which are complete before the first byte goes out."""

    timeout = SLOWEST

    def do_GET(self) -> None:  # noqa: N802 as its base has it
        try:
            super().do_GET()
        except OSError:
            raise  # the client's affair
        except Exception:
            log.exception("a scrape failed; the pool is not concerned")
            self.send_error(500, "the metrics could not be collected")


@contextmanager
def _refusing(port: int, address: str) -> Iterator[None]:
    """Say in words of ours what is wrong with a port or an address."""
    try:
        yield
    except UnicodeError:  # a name that no name server could know
        raise OptionsError("address", address, ADDRESSES) from None
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                rule = "something listens there already; take another port, or 0 for any that is free"
                raise OptionsError("port", port, rule) from None
            case errno.EMFILE | errno.ENFILE:
                raise  # neither is to blame: the process has too many files open
            case errno.EACCES:
                raise OptionsError("port", port, "a port that this user may have: 1024 or more") from None
            case _:  # a name that does not resolve, an address of another machine
                raise OptionsError("address", address, f"{ADDRESSES} ({error.strerror or error})") from None
