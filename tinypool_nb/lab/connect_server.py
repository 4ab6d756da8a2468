"""The CONNECT proxy's process.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.connect_server <ConnectSettings>`. If it asks who one is, the first line on
its stdin says what it wants to hear. It prints its port once it serves, ends at the line `stop <seconds>`, and at the end of its stdin.
Every other line is a command in JSON, which it answers with one line of JSON, as `tinypool_nb.lab.asking` takes it.

Source: RFC 9110, section 9.3.6 (CONNECT).
"""

import hmac
import json
import os
import select
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tinypool_nb.lab.connecting import ConnectSettings
from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import first_free

DIALLING = 5.0
"""Seconds that a module gets to take a connection."""
PIECE = 65_536
KEPT = 10_000
"""Requests that are remembered."""


class ConnectServer(socketserver.ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, settings: ConnectSettings, authorization: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.settings = settings
        self.authorization = authorization
        self.refusing: int | None = None
        self.asked: list[tuple[str, int]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours; everything else stands on stderr."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def place_of(self, asked: str) -> tuple[str, int]:
        """Where a `host:port` leads: names first that the lab knows.

        Raises:
            LookupError: nowhere, or beyond the loopback.
        """
        known = dict(self.settings.names)
        if self.settings.names_file:
            with suppress(OSError):
                known |= json.loads(Path(self.settings.names_file).read_text())
        host, _, port = known.get(asked, asked).rpartition(":")
        host = host.strip("[]")
        if host != "localhost" and not _is_loopback(host):
            raise LookupError(asked)
        return host, int(port)


class Handler(BaseHTTPRequestHandler):
    """Answers one CONNECT, and passes on what follows."""

    server: ConnectServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # so it is called in the standard library
        """Say nothing: what was asked is in `asked`."""

    def do_CONNECT(self) -> None:
        """Open the way, or say why not."""
        self.close_connection = True
        heard = self.headers.get("Proxy-Authorization", "")
        if self.server.refusing is not None:
            self._answer(self.server.refusing)
        elif not hmac.compare_digest(heard.encode(), self.server.authorization.encode()) and self.server.authorization:
            self._answer(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, ("Proxy-Authenticate", 'Basic realm="tinypool lab"'))
        else:
            self._connect()

    def _connect(self) -> None:
        try:
            there = socket.create_connection(self.server.place_of(self.path), DIALLING)
        except (LookupError, ValueError, OSError):
            self._answer(HTTPStatus.BAD_GATEWAY)
            return
        with there:
            self._answer(HTTPStatus.OK)
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pass_on(self.connection, there)

    def _answer(self, code: int, *headers: tuple[str, str]) -> None:
        self.server.asked.append((self.path, int(code)))
        del self.server.asked[:-KEPT]
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        if code != HTTPStatus.OK:
            self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def version_string(self) -> str:
        """What the header Server says."""
        return "tinypool-lab"


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Send to each what the other says, until one of them ends."""
    other_of = {one.fileno(): (one, other), other.fileno(): (other, one)}
    both = select.poll()
    for each in (one, other):
        each.settimeout(None)
        both.register(each, select.POLLIN)
    while True:
        for number, _ in both.poll():
            source, target = other_of[number]
            piece = source.recv(PIECE)
            if not piece:
                return
            target.sendall(piece)


def serve(settings: ConnectSettings) -> None:
    """Serve until stdin says otherwise.

    Raises:
        OSError: every port is taken.
    """
    raise_file_limit()
    server = bind(settings, sys.stdin.readline().strip() if settings.tls else "")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 3600.0}, daemon=True).start()
    say(server.server_address[1])
    for line in sys.stdin:
        if line.startswith("stop"):
            break
        request = json.loads(line)
        answer: object
        match request["verb"]:
            case "refuse":
                server.refusing, answer = request["code"], None
            case _:
                answer = list(server.asked)
        say({"number": request["number"], "answer": answer})
    os._exit(0)  # not by a return, which would wait for the threads of clients


def say(answer: object) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def bind(settings: ConnectSettings, authorization: str) -> ConnectServer:
    """Take the first port that is free.

    Raises:
        OSError: all are taken, even after `settings.patience` seconds.
    """
    return first_free(settings.ports, lambda port: ConnectServer(port, settings, authorization), settings.patience)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    try:
        serve(ConnectSettings.parse(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
