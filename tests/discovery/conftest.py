"""The lab's API server with an operator who changes what is in it, and a server between it and the client that says what none would."""

import json
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tinypool_nb.lab import Kubernetes, Lab, ServerState

PORTS = range(20_000, 32_768)
NAMESPACE = "tinysystems"
TOKEN = "s3cr3t-t0ken-of-ada"


class Between:
    """A server between a client and the lab's API server: it passes on what is asked and answered, and can say something else.

    It knows nothing of resources; what it is for are answers that no API server gives which is well.
    """

    def __init__(self, upstream: int) -> None:
        self.answers: list[Callable[[Any], bool]] = []
        """The next requests are answered by these instead; one that returns False leaves the request to the API server."""
        self.requests: list[tuple[float, str]] = []
        """(monotonic seconds, path) of each."""
        self.changed = threading.Condition()
        self._upstream = upstream
        self._raw: list[bytes] = []
        self._is_over = False
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                with suppress(OSError):
                    between._answer(self)

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                pass

        self._httpd = Server(("127.0.0.1", _free()), Handler)
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._httpd.server_port}"

    def close(self) -> None:
        with self.changed:
            self._is_over = True
            self.changed.notify_all()
        self._httpd.shutdown()
        self._httpd.server_close()
        self._thread.join()

    def say(self, line: bytes) -> None:
        """Send this to all watches, as it is."""
        with self.changed:
            self._raw.append(line)

    def watches(self) -> int:
        return sum("watch=" in path for _, path in tuple(self.requests))

    def lists(self) -> int:
        return sum("watch=" not in path for _, path in tuple(self.requests))

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.changed:
            self.requests.append((time.monotonic(), request.path))
            self.changed.notify_all()
            answer = self.answers.pop(0) if self.answers else None
            said = len(self._raw)  # before the client learns that it watches, and a test says something
        if answer is not None and answer(request):
            return
        request.close_connection = True
        with socket.create_connection(("127.0.0.1", self._upstream), timeout=10) as upstream:
            head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items() if name.lower() != "connection")
            upstream.sendall(f"{request.command} {request.path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            self._pass_on(upstream, request.connection, said)

    def _pass_on(self, upstream: socket.socket, client: socket.socket, said: int) -> None:
        piece = upstream.recv(65_536)
        client.sendall(piece.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        while not self._is_over:
            ready, _, _ = select.select([upstream, client], [], [], 0.005)
            if upstream in ready:
                piece = upstream.recv(65_536)
                client.sendall(piece)
            if client in ready or (upstream in ready and not piece):
                return
            if piece.endswith(b"\r\n"):  # between two chunks
                for line in self._raw[said:]:
                    client.sendall(b"%x\r\n%s\r\n" % (len(line), line))
                    said += 1


def _free() -> int:
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(PORTS)))
            return int(probe.getsockname()[1])


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

    def versions(self) -> dict[tuple[str, str], str]:
        """The version of each resource, by namespace and name."""
        metadata = [each["metadata"] for each in self._resources.list()]
        return {(each["namespace"], each["name"]): each["resourceVersion"] for each in metadata}

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
    with Lab(kubernetes=Kubernetes(tls=False, bookmark_every=0.2)) as lab:
        yield lab


@pytest.fixture
def operator(_lab: Lab) -> Operator:
    """Of a lab in which nothing is, and all is well."""
    operator = Operator(_lab)
    operator.begin()
    return operator
