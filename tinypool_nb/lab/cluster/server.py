"""The API server's process.

`tinypool_nb.lab.guard` runs it as `python -m tinypool_nb.lab.cluster.server <ApiSettings>`. Its first line on stdin holds its secrets. It
prints its port once it serves, ends gracefully at the line `stop <seconds>`, and at once at the end of its stdin. Every other line is a
command in JSON, `{"verb": ..., ...}`, which it answers with one line of JSON.
"""

import json
import os
import socketserver
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

from tinypool_nb.lab.certificates import ServerIdentity
from tinypool_nb.lab.cluster.access import Access, Grant
from tinypool_nb.lab.cluster.faults import Ending, Faults
from tinypool_nb.lab.cluster.handler import Handler, State
from tinypool_nb.lab.cluster.settings import ApiSecrets, ApiSettings
from tinypool_nb.lab.cluster.store import Store
from tinypool_nb.lab.cluster.workloads import KINDS, Workloads
from tinypool_nb.lab.limits import raise_file_limit
from tinypool_nb.lab.ports import first_free

FAREWELL = 0.1
"""Seconds that a graceful end leaves the watches to say that they are over."""


class HttpServer(socketserver.ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, state: State, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.state = state
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away or spoke no TLS is no error of ours; everything else stands on stderr."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)


@dataclass(frozen=True, slots=True)
class Commands:
    """What the kernel can ask for; each method is a verb."""

    state: State

    def perform(self, line: str) -> object:
        """Do what the line says; the answer, as `tinypool_nb.lab.asking.answer_of` takes it."""
        request = json.loads(line)
        number, verb = request.pop("number"), request.pop("verb")
        return {"number": number, "answer": getattr(self, verb)(**request)}

    def compact(self) -> None:
        """See `Api.compact`."""
        self.state.store.compact()

    def refuse(self, code: int, times: int | None, retry_after: int | None, message: str | None) -> None:
        """See `Api.refuse`."""
        self.state.faults.refuse(code, times=times, retry_after=retry_after, message=message)

    def silence(self) -> None:
        """See `Api.silence`."""
        self.state.faults.silence()

    def heal(self) -> None:
        """See `Api.heal`."""
        self.state.faults.heal()
        self.state.access.revoked = False
        self.state.access.grant = Grant()

    def drop(self, ending: str, message: str | None) -> None:
        """See `Api.drop_watches`."""
        self.state.faults.drop(Ending(ending), message)

    def revoke(self) -> None:
        """See `Api.revoke_token`."""
        self.state.access.revoked = True

    def grant(self, verbs: list[str] | None, namespaces: list[str] | None) -> None:
        """See `Api.grant`."""
        self.state.access.grant = Grant(*(None if allowed is None else frozenset(allowed) for allowed in (verbs, namespaces)))

    def requests(self) -> object:
        """See `Api.requests`."""
        return self.state.seen.all()

    def revision(self) -> int:
        """See `Api.revision`."""
        return self.state.store.revision


def serve(settings: ApiSettings) -> None:
    """Serve until stdin says otherwise.

    Raises:
        OSError: every port is taken.
    """
    raise_file_limit()
    secrets = ApiSecrets.parse(sys.stdin.readline())
    store = Store(Path(settings.journal))
    access = Access(token=secrets.token, operator_token=secrets.operator_token)
    workloads = {plural: Workloads(plural, Store(Path(f"{settings.journal}.{plural}")), store) for plural in KINDS}
    state = State(store, Faults(store.changed), access, bookmark_every=settings.bookmark_every, workloads=workloads)
    server = bind(settings, state, None if secrets.identity is None else tls_context(secrets.identity))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 3600.0}, daemon=True).start()
    say(server.server_address[1])
    commands = Commands(state)
    for line in sys.stdin:
        if line.startswith("stop"):
            server.socket.close()
            state.faults.drop(Ending.CLEAN)
            sleep(min(float(line.split()[1]), FAREWELL))
            break
        say(commands.perform(line))
    os._exit(0)  # not by a return, which would wait for the threads of clients


def say(answer: object) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def bind(settings: ApiSettings, state: State, tls: ssl.SSLContext | None) -> HttpServer:
    """Take the first port that is free.

    Raises:
        OSError: all are taken, even after `settings.patience` seconds.
    """
    return first_free(settings.ports, lambda port: HttpServer(port, state, tls), settings.patience)


def tls_context(identity: ServerIdentity) -> ssl.SSLContext:
    """What serves TLS by that identity. The standard library reads keys from files only: here they are pipes, so that none is written."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pipes = [_filled_pipe(text) for text in (identity.chain, identity.key)]
    try:
        context.load_cert_chain(*(f"/dev/fd/{pipe}" for pipe in pipes))
    finally:
        for pipe in pipes:
            os.close(pipe)
    return context


def _filled_pipe(text: str) -> int:
    """The reading end of a pipe that holds the text and then ends; a pipe takes 4096 bytes at least, and PEM has fewer."""
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    return reading


if __name__ == "__main__":
    try:
        serve(ApiSettings.parse(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))
