"""An API server of TinyModules on loopback that can be broken in every way that discovery must survive. Thin: only what it needs to see."""

import json
import random
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tinypool_nb.core.tinymodules import GROUP, PLURAL, VERSION
from tinypool_nb.lab import Kubernetes, Lab, ServerState

PORTS = range(20_000, 32_768)
NAMESPACE = "tinysystems"
TOKEN = "s3cr3t-t0ken-of-ada"


class ApiServer:
    """Lists and watches TinyModules; everything about it can be changed while it runs."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[tuple[int, dict[str, Any]]] = []
        self.version = 100
        self.compacted = 100
        self.token = ""
        """That alone lets somebody in; "" lets in all."""
        self.answers: list[Callable[[Any], bool]] = []
        """The next requests are answered by these instead; one that returns False leaves the request to the server."""
        self.requests: list[tuple[float, str]] = []
        """(monotonic seconds, path) of each."""
        self.changed = threading.Condition()
        self._tls = tls
        self._raw: list[bytes] = []
        self._drops = 0
        self._clients: set[socket.socket] = set()
        self._httpd: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen; after `kill` again on the same port."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                with suppress(OSError):
                    server._answer(self)

            def handle(self) -> None:
                server._clients.add(self.connection)
                try:
                    super().handle()
                except OSError:
                    pass
                finally:
                    server._clients.discard(self.connection)

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                pass

            def get_request(self) -> tuple[Any, Any]:
                connection, address = super().get_request()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if server._tls is not None:
                    connection = server._tls.wrap_socket(connection, server_side=True)
                return connection, address

        self._httpd = Server(("127.0.0.1", self.port or _free()), Handler)
        self.port = self._httpd.server_port
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Be gone at once, connections and all; what is stored stays."""
        httpd, self._httpd = self._httpd, None
        if httpd is None:
            return
        httpd.shutdown()
        self.drop()
        for client in tuple(self._clients):
            with suppress(OSError):
                socket.socket.shutdown(client, socket.SHUT_RDWR)
        httpd.server_close()
        assert self._thread is not None
        self._thread.join()

    def put(self, name: str, addr: object = None, *, namespace: str = NAMESPACE, **more: Any) -> dict[str, Any]:
        """Create or change a resource; `addr` None leaves its status out."""
        with self.changed:
            old = self.objects.get((namespace, name))
            self.version += 1
            uid = old["metadata"]["uid"] if old else f"uid-{self.version}"
            metadata = {"namespace": namespace, "name": name, "uid": uid, "resourceVersion": str(self.version), **more.pop("metadata", {})}
            made = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "TinyModule", "metadata": metadata}
            if addr is not None or more:
                made["status"] = {"addr": addr, "name": name, "version": "1.0.0", **more}
            self.objects[namespace, name] = made
            self._event("MODIFIED" if old else "ADDED", made)
            return made

    def delete(self, name: str, *, namespace: str = NAMESPACE) -> None:
        with self.changed:
            gone = self.objects.pop((namespace, name))
            self.version += 1
            self._event("DELETED", {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}})

    def quietly(self, change: Callable[[], object]) -> None:
        """Do something that no watch hears of, as if its events were compacted away."""
        with self.changed:
            change()
            self.compact()

    def compact(self) -> None:
        """Forget all events: a watch from before is told 410."""
        with self.changed:
            self.events.clear()
            self.compacted = self.version
            self.changed.notify_all()

    def bookmark(self) -> None:
        """Tell all watches how far they are."""
        with self.changed:
            self.say(self._line("BOOKMARK", {"kind": "TinyModule", "metadata": {"resourceVersion": str(self.version)}}))

    def say(self, line: bytes) -> None:
        """Send this to all watches, as it is."""
        with self.changed:
            self._raw.append(line)
            self.changed.notify_all()

    def drop(self) -> None:
        """Break off all watches."""
        with self.changed:
            self._drops += 1
            self.changed.notify_all()

    def watches(self) -> int:
        return sum("watch=" in path for _, path in tuple(self.requests))

    def lists(self) -> int:
        return sum("watch=" not in path for _, path in tuple(self.requests))

    def _event(self, kind: str, told: dict[str, Any]) -> None:
        self.events.append((self.version, {"type": kind, "object": told}))
        self.changed.notify_all()

    @staticmethod
    def _line(kind: str, told: dict[str, Any]) -> bytes:
        return json.dumps({"type": kind, "object": told}).encode() + b"\n"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.changed:
            self.requests.append((time.monotonic(), request.path))
            self.changed.notify_all()
            answer = self.answers.pop(0) if self.answers else None
        if answer is not None and answer(request):
            return
        if self.token and request.headers.get("Authorization", "").lower() != f"bearer {self.token}".lower():
            refuse(401, "Unauthorized", "Unauthorized")(request)
            return
        url = urlsplit(request.path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match url.path.strip("/").split("/"):
            case ["apis", group, version, "namespaces", namespace, plural] if (group, version, plural) == (GROUP, VERSION, PLURAL):
                pass
            case ["apis", group, version, plural] if (group, version, plural) == (GROUP, VERSION, PLURAL):
                namespace = ""
            case _:
                refuse(404, "NotFound", "the server could not find the requested resource")(request)
                return
        if asked.get("watch", "").lower() == "true":
            self._watch(request, namespace, asked["resourceVersion"])
        else:
            self._list(request, namespace, asked)

    def _list(self, request: BaseHTTPRequestHandler, namespace: str, asked: dict[str, str]) -> None:
        with self.changed:
            version = self.version
            items = [each for key, each in sorted(self.objects.items()) if namespace in {"", key[0]} and _selected(each, asked)]
        start = int(asked.get("continue", "0"))
        end = start + int(asked.get("limit", len(items) + 1))
        metadata = {"resourceVersion": str(version), **({"continue": str(end)} if end < len(items) else {})}
        answer_json(request, 200, {"kind": "TinyModuleList", "metadata": metadata, "items": items[start:end]})

    def _watch(self, request: BaseHTTPRequestHandler, namespace: str, version: str) -> None:
        at = int(version)
        with self.changed:
            drops, said = self._drops, len(self._raw)  # before the client learns that it watches, and a test says something
        open_stream(request)
        with self.changed:
            while self._httpd is not None:
                if self._drops != drops:  # first, so that nothing that was changed after it is told before it
                    request.close_connection = True
                    socket.socket.shutdown(request.connection, socket.SHUT_RDWR)
                    return
                if at < self.compacted and at < self.version:
                    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": f"too old resource version: {version}"}
                    send(request, self._line("ERROR", expired))
                    send(request, b"")
                    return
                for number, event in [each for each in self.events if each[0] > at]:
                    at = number
                    if namespace in {"", event["object"]["metadata"]["namespace"]}:
                        send(request, json.dumps(event).encode() + b"\n")
                for line in self._raw[said:]:
                    send(request, line)
                said = len(self._raw)
                self.changed.wait(0.1)
                if not _is_there(request.connection):
                    return


def _free() -> int:
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(PORTS)))
            return int(probe.getsockname()[1])


def _is_there(connection: socket.socket) -> bool:
    """Whether the client has not closed it; it has nothing to say while it watches."""
    return connection.fileno() != -1 and not select.select([connection], [], [], 0)[0]


def _selected(resource: dict[str, Any], asked: dict[str, str]) -> bool:
    labels = resource["metadata"].get("labels", {})
    return all(
        labels.get(name) == value for name, _, value in (part.partition("=") for part in asked.get("labelSelector", "").split(",") if part)
    )


def answer_json(request: BaseHTTPRequestHandler, status: int, told: object) -> None:
    body = json.dumps(told).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def open_stream(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.wfile.flush()


def send(request: BaseHTTPRequestHandler, data: bytes) -> None:
    request.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    request.wfile.flush()


def refuse(status: int, reason: str, message: str) -> Callable[[Any], bool]:
    """An answer with that status."""

    def answer(request: Any) -> bool:
        answer_json(request, status, {"kind": "Status", "status": "Failure", "code": status, "reason": reason, "message": message})
        return True

    return answer


def leave(request: Any) -> bool:
    """No answer of one's own: the server's is good."""
    return False


@pytest.fixture(autouse=True)
def _no_other_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What whoever runs the tests has set up is not for them."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.kill()


def kubeconfig(path: Path, url: str, *, token: str = TOKEN, context: str = "lab", namespace: str = NAMESPACE) -> Path:
    """Write a kubeconfig file."""
    entries = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": url}}],
        "users": [{"name": f"{context}-user", "user": {"token": token}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": f"{context}-user", "namespace": namespace}}],
        "current-context": context,
    }
    path.write_text(json.dumps(entries))  # JSON is YAML
    return path


@pytest.fixture
def config(server: ApiServer, tmp_path: Path) -> Path:
    """A kubeconfig of the server."""
    return kubeconfig(tmp_path / "config", server.url)


def until(is_so: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for what sends no event."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.005)


class Operator:
    """Whoever changes the resources of the lab's cluster, and breaks its API server."""

    def __init__(self, lab: Lab) -> None:
        self.api = lab.api
        self.kubeconfig = lab.kubeconfig
        self.token = str(json.loads(Path(lab.kubeconfig).read_text())["users"][0]["user"]["token"])
        self._resources = lab.resources
        self._before = 0

    def put(self, name: str, addr: object = None, *, namespace: str = NAMESPACE, labels: Any = None, **status: Any) -> str:
        """Create or change a resource; `addr` None leaves a new one without a status. Its version."""
        if name not in [each["metadata"]["name"] for each in self._resources.list(namespace=namespace)]:
            made = self._resources.create(name, namespace=namespace, labels=labels)
        elif labels:
            self._resources.patch(name, {"metadata": {"labels": labels}}, namespace=namespace)
        if addr is not None or status:
            whole = {"addr": addr, "name": name, "version": "1.0.0", "components": [], **status}
            made = self._resources.patch_status(name, whole, namespace=namespace, checked=False)
        return str(made["metadata"]["resourceVersion"])

    def delete(self, name: str, *, namespace: str = NAMESPACE) -> None:
        self._resources.delete(name, namespace=namespace)

    def watches(self) -> int:
        """How many were asked for since the test began."""
        return sum("watch=" in request.path for request in self.api.requests[self._before :])

    def begin(self) -> None:
        """All is well, nothing is there, and nothing was asked for."""
        if self.api.state is not ServerState.SERVING:
            self.api.restart()
        self.api.heal()
        for each in self._resources.list():
            self.delete(each["metadata"]["name"], namespace=each["metadata"]["namespace"])
        self._before = len(self.api.requests)


@pytest.fixture(scope="module")
def _lab() -> Iterator[Lab]:
    with Lab(kubernetes=Kubernetes(tls=False)) as lab:
        yield lab
