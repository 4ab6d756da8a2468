"""One client's connection: HTTP/1.1 in, JSON out."""

import select
import socket
import ssl
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tinypool_nb.lab.cluster.access import OPERATOR, UNCHECKED, Access, Wish
from tinypool_nb.lab.cluster.changes import Changes, decode, timestamp
from tinypool_nb.lab.cluster.documents import DOCUMENTS, HEALTH
from tinypool_nb.lab.cluster.faults import Ending, Faults
from tinypool_nb.lab.cluster.labels import Selection
from tinypool_nb.lab.cluster.listing import encode_list, list_objects
from tinypool_nb.lab.cluster.objects import Writer
from tinypool_nb.lab.cluster.query import Query
from tinypool_nb.lab.cluster.routes import Route, parse_route
from tinypool_nb.lab.cluster.seen import Seen
from tinypool_nb.lab.cluster.statuses import ApiStatusError
from tinypool_nb.lab.cluster.store import Store, encode
from tinypool_nb.lab.cluster.tinymodule import PLURAL
from tinypool_nb.lab.cluster.watching import Watch

if TYPE_CHECKING:
    from tinypool_nb.lab.cluster.server import HttpServer

IDLE = 300.0
"""Seconds that a connection may stand without a request."""
HALF_A_LINE = b'{"type":"MODIFIED","object":{"apiVersion":"operator.tiny'
TEXT = "text/plain; charset=utf-8"
NO_PAGE = b"404 page not found\n"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class State:
    """What all connections share."""

    store: Store
    faults: Faults
    access: Access
    seen: Seen = field(default_factory=Seen)
    bookmark_every: float = 60.0


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    server: "HttpServer"
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out in one piece
    disable_nagle_algorithm = True
    timeout = IDLE

    def setup(self) -> None:
        """Shake hands first, in this connection's thread: a client that never does holds up nobody else."""
        if isinstance(self.request, ssl.SSLSocket):
            self.request.settimeout(IDLE)
            self.request.do_handshake()
        super().setup()
        self.state = self.server.state
        self.changes = Changes(self.state.store)
        self.began = 0.0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # so it is called in the standard library
        """Say nothing: what was asked is in `Seen`."""

    def handle_one_request(self) -> None:
        """As the base class; a client that has gone is no error."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True

    def _answer(self) -> None:
        path = urlsplit(self.path)
        query = Query(path.query)
        self.began = time()
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            user = self.state.access.user(self.headers.get("Authorization", ""), self.headers.get("Impersonate-User", ""))
            if user != OPERATOR:
                if self.state.faults.silent:
                    self._note(0)
                self.state.faults.await_speech()
                if refusal := self.state.faults.refusal():
                    raise refusal
            self._serve(path.path, query, user, body)
        except ApiStatusError as error:
            self._send(error.code, encode(error.status()), retry_after=error.retry_after)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  # so the base class looks for them

    def _serve(self, path: str, query: Query, user: str, body: bytes) -> None:
        route = parse_route(path)
        if route is None:
            self._serve_path(path, user)
            return
        verb = self._verb(route, query)
        resource = "/".join(filter(None, (route.resource, route.subresource)))
        self.state.access.check(user, Wish(verb, route.group, resource, route.namespace, route.name))
        if route.resource == PLURAL:
            self._serve_modules(route, verb, query, body, user)
        elif verb == "create" and not route.name:
            given = decode(body)
            new = self.changes.create_namespace(given) if route.resource == "namespaces" else self.state.access.review(user, given)
            self._send(201, encode(new))
        elif verb in {"get", "list"} and route.resource == "namespaces":
            self._send(200, encode(self.changes.namespace(route.name) if route.name else self.changes.list_namespaces()))
        else:
            raise _not_allowed()

    def _verb(self, route: Route, query: Query) -> str:
        if self.command == "GET":
            return "get" if route.name else "watch" if query.flag("watch") else "list"
        if self.command == "DELETE":
            return "delete" if route.name else "deletecollection"
        return VERBS[self.command]

    def _serve_path(self, path: str, user: str) -> None:
        path = path.rstrip("/") or "/"
        self.state.access.check_path(user, path)
        if path.startswith(HEALTH):
            self._send(200, b"ok", kind=TEXT)
        elif path in DOCUMENTS:
            self._send(200, encode(DOCUMENTS[path]))
        elif path.startswith(("/api/", "/apis/")):
            self._send(404, NO_PAGE, kind=TEXT)
        else:
            self._send(404 if path != "/" else 200, encode({"paths": sorted([*DOCUMENTS, *HEALTH])}))

    def _serve_modules(self, route: Route, verb: str, query: Query, body: bytes, user: str) -> None:
        key = (route.namespace, route.name)
        agent = self.headers.get("User-Agent", "unknown").partition("/")[0]
        writer = Writer(manager=agent, now=timestamp(), checked=not (user == OPERATOR and UNCHECKED in self.headers))
        match verb:
            case "get":
                self._send(200, self.changes.get(key).encoded + b"\n")
            case "list":
                self._send(200, list_objects(self.state.store, _selection(route, query), query))
            case "watch":
                state, selection = self.state, _selection(route, query)
                self._watch(Watch(state.store, state.faults, selection, query, bookmark_every=state.bookmark_every))
            case "create" if route.namespace and not route.name:
                self._send(201, self.changes.create(route.namespace, decode(body), writer).encoded + b"\n")
            case "update" if route.name:
                self._send(200, self.changes.put(key, decode(body), route.subresource, writer).encoded + b"\n")
            case "patch" if route.name:
                kind = self.headers.get("Content-Type", "")
                self._send(200, self.changes.patch(key, decode(body), kind, route.subresource, writer).encoded + b"\n")
            case "delete" if not route.subresource:
                self._send(200, self.changes.delete(key, decode(body)))
            case "deletecollection" if route.namespace:
                gone = self.changes.delete_all(_selection(route, query))
                self._send(200, encode_list(gone, {"resourceVersion": str(self.state.store.revision), "continue": ""}))
            case _:
                self._send(404, NO_PAGE, kind=TEXT)

    def _watch(self, watch: Watch) -> None:
        """Send lines as they come, each in a chunk that is flushed, until it is over or the client has gone."""
        self._head(200, "application/json", ("Transfer-Encoding", "chunked"))
        self.wfile.flush()
        there = select.poll()
        there.register(self.connection, select.POLLIN)
        for piece in watch.lines():
            if not piece:
                if there.poll(0):
                    raise ConnectionAbortedError  # a client says nothing in the midst of a watch: it hung up
                continue
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        if watch.ending not in {Ending.RESET, Ending.MID_LINE}:
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
            return
        if watch.ending is Ending.MID_LINE:
            self.wfile.write(b"%x\r\n%s" % (2 * len(HALF_A_LINE), HALF_A_LINE))
            self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)  # and no farewell of TLS
        raise ConnectionAbortedError

    def _note(self, code: int) -> None:
        """Write the request down before its client can know of the answer."""
        self.state.seen.add(self.began, self.command, self.path, self.headers.get("User-Agent", ""), code)

    def _head(self, code: int, kind: str, *more: tuple[str, str]) -> None:
        self._note(code)
        self.send_response(code)
        for name, value in (("Content-Type", kind), ("Cache-Control", "no-cache, private"), *more):
            self.send_header(name, value)
        self.end_headers()

    def _send(self, code: int, body: bytes, *, kind: str = "application/json", retry_after: int | None = None) -> None:
        again = () if retry_after is None else (("Retry-After", str(retry_after)),)
        self._head(code, kind, ("Content-Length", str(len(body))), *again)
        self.wfile.write(body)
        self.wfile.flush()

    def version_string(self) -> str:
        """What the header Server says."""
        return "tinypool-lab"


def _selection(route: Route, query: Query) -> Selection:
    return Selection(route.namespace or None, query.text("labelSelector"), query.text("fieldSelector"))


def _not_allowed() -> ApiStatusError:
    return ApiStatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
