"""Raw requests to an API server, and a namespace of each test's own."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest
import urllib3

from tinypool_nb.lab.cluster.tinymodule import API_VERSION, KIND, PLURAL

if TYPE_CHECKING:
    from tests.contract.conftest import Server

MERGE = "application/merge-patch+json"
PATIENCE = 30.0
"""Seconds for whatever is waited for."""


class Answer(NamedTuple):
    code: int
    headers: Any
    body: Any
    """JSON if it is any, else text."""


class Http:
    """Raw requests with the rights that a kubeconfig gives, however it gives them."""

    def __init__(self, kubeconfig: str) -> None:
        from kubernetes import config

        told = config.new_client_from_config(config_file=kubeconfig).configuration
        self.url = told.host
        self.headers = dict.fromkeys(["Authorization"], next(iter(told.api_key.values()), ""))
        self._pool = urllib3.PoolManager(
            ca_certs=told.ssl_ca_cert, cert_file=told.cert_file, key_file=told.key_file, retries=False, timeout=urllib3.Timeout(10)
        )

    def send(self, method: str, path: str, body: object = None, *, kind: str = "", headers: Any = None, **query: object) -> Answer:
        """One request; the parameters that stand in `query` go into the URL, `continue_` as `continue`."""
        given = {**self.headers, "User-Agent": "contract/1", "Content-Type": kind or (MERGE if method == "PATCH" else "application/json")}
        given |= headers or {}
        answer = self._pool.request(
            method, self._url(path, query), body=None if body is None else json.dumps(body), headers={k: v for k, v in given.items() if v}
        )
        text = answer.data.decode()
        return Answer(answer.status, answer.headers, json.loads(text) if text.startswith("{") else text)

    @contextmanager
    def watch(self, path: str, *, patience: float = PATIENCE, **query: object) -> "Iterator[Watch]":
        """A watch, which is hung up at the end."""
        answer = self._pool.request(
            "GET",
            self._url(path, {"watch": "true", **query}),
            headers=self.headers,
            preload_content=False,
            timeout=urllib3.Timeout(patience),
        )
        try:
            yield Watch(answer)
        finally:
            answer.close()

    def _url(self, path: str, query: dict[str, object]) -> str:
        given = urlencode({name.rstrip("_"): value for name, value in query.items() if value is not None})
        return f"{self.url}{path}{'?' if given else ''}{given}"

    def close(self) -> None:
        self._pool.clear()


class Watch:
    """The events of one watch."""

    def __init__(self, answer: Any) -> None:
        self.code = answer.status
        self.headers = answer.headers
        self._lines = self._cut(answer)

    @staticmethod
    def _cut(answer: Any) -> Iterator[bytes]:
        rest = b""
        for piece in answer.stream(amt=None, decode_content=True):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        assert rest == b"", "every line ends"

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Kind and object of each event, until the server ends the watch."""
        for line in self._lines:
            event = json.loads(line)
            yield event["type"], event["object"]

    def next(self) -> tuple[str, Any]:
        """The next event."""
        return next(iter(self))

    def names(self, count: int) -> list[tuple[str, str]]:
        """Kind and name of the next events."""
        return [(kind, body["metadata"]["name"]) for kind, body in (self.next() for _ in range(count))]


class Space:
    """A namespace of a test's own on one server."""

    def __init__(self, server: "Server", http: Http, namespace: str) -> None:
        self.server = server
        self.http = http
        self.namespace = namespace
        self.everywhere = f"/apis/{API_VERSION}/{PLURAL}"
        self.path = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"

    def body(self, name: str, **parts: Any) -> dict[str, Any]:
        metadata = {"name": name, **parts.pop("metadata", {})}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, **parts}

    def create(self, name: str, *, labels: dict[str, str] | None = None, **parts: Any) -> Any:
        made = self.http.send("POST", self.path, self.body(name, metadata={"labels": labels or {}}, **parts))
        assert made.code == 201, made.body
        return made.body

    def patch(self, name: str, patch: object) -> Any:
        return self._done(self.http.send("PATCH", f"{self.path}/{name}", patch))

    def set_status(self, name: str, **status: object) -> Any:
        return self._done(self.http.send("PATCH", f"{self.path}/{name}/status", {"status": full_status(name, **status)}))

    def delete(self, name: str) -> Any:
        return self._done(self.http.send("DELETE", f"{self.path}/{name}"))

    def get(self, name: str) -> Answer:
        return self.http.send("GET", f"{self.path}/{name}")

    def listed(self, **query: Any) -> Answer:
        return self.http.send("GET", self.path, **query)

    def names(self, **query: object) -> list[str]:
        return [item["metadata"]["name"] for item in self._done(self.listed(**query))["items"]]

    def version(self) -> str:
        return str(self._done(self.listed())["metadata"]["resourceVersion"])

    def watch(self, **query: Any) -> Any:
        return self.http.watch(self.path, **query)

    @staticmethod
    def _done(answer: Answer) -> Any:
        assert answer.code == 200, answer.body
        return answer.body


def full_status(name: str, **status: object) -> dict[str, object]:
    """A status that the schema lets through."""
    return {"addr": "127.0.0.1:50051", "name": name, "version": "1.0.0", "components": [], **status}


def new_namespace(http: Http) -> str:
    name = f"contract-{secrets.token_hex(4)}"
    made = http.send("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert made.code == 201, made.body
    return name


@pytest.fixture
def http(server: "Server") -> Iterator[Http]:
    http = Http(server.kubeconfig)
    yield http
    http.close()


@pytest.fixture
def make_space(server: "Server", http: Http) -> Iterator[Callable[[], Space]]:
    made: list[Space] = []

    def make() -> Space:
        made.append(Space(server, http, new_namespace(http)))
        return made[-1]

    yield make
    for space in made:
        http.send("DELETE", space.path)
        http.send("DELETE", f"/api/v1/namespaces/{space.namespace}")


@pytest.fixture
def space(make_space: Callable[[], Space]) -> Space:
    return make_space()
