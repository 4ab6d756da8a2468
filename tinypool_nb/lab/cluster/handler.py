"""One client's connection: HTTP/1.1 in, JSON out."""

import select
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from time import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tinypool_nb.lab.cluster.access import OPERATOR, UNCHECKED, Access, Wish
from tinypool_nb.lab.cluster.changes import Changes, decode, timestamp
from tinypool_nb.lab.cluster.documents import DOCUMENTS, HEALTH
from tinypool_nb.lab.cluster.faults import Ending, Faults
from tinypool_nb.lab.cluster.forwarding import forward, upgrade
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
from tinypool_nb.lab.cluster.workloads import Workloads, encode_listed

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
    workloads: Mapping[str, Workloads] = field(default_factory=dict)
    """By their plurals."""


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
        elif route.subresource == "portforward":
            self._forward(route, query, user)
        elif route.resource in self.state.workloads:
            self._serve_workloads(route, verb, query, body)
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

    def _serve_workloads(self, route: Route, verb: str, query: Query, body: bytes) -> None:
        workloads, key = self.state.workloads[route.resource], (route.namespace, route.name)
        match verb:
            case "get":
                self._send(200, workloads.get(key).encoded + b"\n")
            case "list":
                page = partial(encode_listed, workloads.kind)
                self._send(200, list_objects(workloads.store, _selection(route, query), query, page))
            case "create" if route.namespace and not route.name:
                self._send(201, workloads.create(route.namespace, decode(body)).encoded + b"\n")
            case "update" if route.name:
                self._send(200, workloads.put(key, decode(body)).encoded + b"\n")
            case "patch" if route.name:
                self._send(200, workloads.patch(key, decode(body), self.headers.get("Content-Type", "")).encoded + b"\n")
            case "delete":
                self._send(200, workloads.delete(key))
            case _:
                raise _not_allowed()

    def _forward(self, route: Route, query: Query, user: str) -> None:
        """Become a WebSocket, until it ends."""
        # A WebSocket begins as a GET; newer servers ask for the right to create, too, as kubectl's POST always needed it.
        self.state.access.check(user, Wish("create", route.group, "pods/portforward", route.namespace, route.name))
        pod = self.state.workloads["pods"].get((route.namespace, route.name)).body
        agreed = upgrade(dict(self.headers), query, pod)
        self._note(101)
        self.send_response(101)
        for name, value in agreed.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        forward(self.connection, agreed.ports, pod)

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
