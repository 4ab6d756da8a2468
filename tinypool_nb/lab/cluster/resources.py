"""Making, changing and deleting TinyModules in the lab's API server, by its own HTTP interface."""

import http.client
import json
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from tinypool_nb.errors import LabError
from tinypool_nb.lab.cluster.access import UNCHECKED
from tinypool_nb.lab.cluster.api import Api
from tinypool_nb.lab.cluster.changes import MERGE_PATCH
from tinypool_nb.lab.cluster.tinymodule import API_VERSION, KIND, PLURAL

ANSWERING = 10.0
"""Seconds that the server gets for an answer."""
Object = dict[str, Any]


class Resources:
    """The TinyModules of a lab, for whoever plays the operator. `lab.resources` gives it; no injected fault meets it.

        lab.resources.create("http-module-v1", addr="127.0.0.1:50051", labels={"tier": "web"})
        lab.resources.patch("http-module-v1", {"metadata": {"labels": {"tier": None}}})
        lab.resources.patch_status("http-module-v1", {"addr": "127.0.0.1:50052"})
        lab.resources.delete("http-module-v1")

    Each method raises LabError if the server does not answer or refuses; the message says why.

    Args:
        api: whom to ask.
        token: the operator's.
        roots: PEM, the lab's authority; None: plaintext.
        namespace: where resources are, unless told otherwise.
    """

    def __init__(self, api: Api, token: str, roots: str | None, namespace: str) -> None:
        self._api = api
        self._token = token
        self._context = None if roots is None else ssl.create_default_context(cadata=roots)
        self._namespace = namespace
        self._asking = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None

    def create(
        self,
        name: str,
        *,
        namespace: str | None = None,
        addr: str | None = None,
        labels: Mapping[str, str] | None = None,
        status: Mapping[str, Any] | None = None,
        image: str = "",
    ) -> Object:
        """Make a resource, and its namespace if need be; then set its status, as an operator does, if there is one.

        Args:
            name: a DNS name, such as http-module-v1.
            namespace: None is the lab's.
            addr: `status.addr`; None leaves the resource without a status, if `status` does too.
            labels: its labels.
            status: further fields of the status, over those of `complete_status`.
            image: `spec.image`.
        """
        namespace = namespace or self._namespace
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "labels": dict(labels or {})},
            "spec": {"image": image} if image else {},
        }
        try:
            made = self._ask("POST", self._path(namespace), body)
        except NotFoundError:
            self.create_namespace(namespace)
            made = self._ask("POST", self._path(namespace), body)
        if addr is None and status is None:
            return made
        given = {**({} if addr is None else {"addr": addr}), **(status or {})}
        return self.patch_status(name, complete_status(name, given), namespace=namespace)

    def create_namespace(self, name: str) -> None:
        """Make a namespace; quiet if it is there."""
        try:
            self._ask("GET", f"/api/v1/namespaces/{quote(name, safe='')}")
        except NotFoundError:
            self._ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def get(self, name: str, *, namespace: str | None = None) -> Object:
        """One resource."""
        return self._ask("GET", self._path(namespace or self._namespace, name))

    def list(self, *, namespace: str | None = None, label_selector: str = "") -> list[Object]:
        """Those of one namespace, or with None of all."""
        path = f"/apis/{API_VERSION}/{PLURAL}" if namespace is None else self._path(namespace)
        items: list[Object] = self._ask("GET", f"{path}?{urlencode({'labelSelector': label_selector})}")["items"]
        return items

    def patch(self, name: str, patch: Mapping[str, Any], *, namespace: str | None = None) -> Object:
        """Change labels, annotations or the spec by a merge patch: None takes a field away."""
        return self._ask("PATCH", self._path(namespace or self._namespace, name), patch)

    def patch_status(self, name: str, status: Mapping[str, Any], *, namespace: str | None = None, checked: bool = True) -> Object:
        """Change the status by a merge patch.

        Args:
            name: whose.
            status: the fields that change; None takes one away.
            namespace: None is the lab's.
            checked: False lets through what the schema forbids, as in a cluster with an older one: an address that is a number.
        """
        return self._ask("PATCH", self._path(namespace or self._namespace, name, "status"), {"status": status}, checked=checked)

    def delete(self, name: str, *, namespace: str | None = None) -> None:
        """Take a resource away."""
        self._ask("DELETE", self._path(namespace or self._namespace, name))

    def ask(self, method: str, path: str, body: object = None) -> Object:
        """Any other request, as the operator: to `/api/v1/namespaces/tinysystems/pods`, for example."""
        return self._ask(method, path, body)

    def close(self) -> None:
        """Close the connection; the next call opens one again."""
        with self._asking:
            self._hang_up()

    def __repr__(self) -> str:
        return f"<Resources at {self._api.address}>"

    def _path(self, namespace: str, *names: str) -> str:
        parts = [quote(part, safe="") for part in names]
        return "/".join([f"/apis/{API_VERSION}/namespaces/{quote(namespace, safe='')}/{PLURAL}", *parts])

    def _ask(self, method: str, path: str, body: object = None, *, checked: bool = True) -> Object:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": MERGE_PATCH if method == "PATCH" else "application/json",
            "User-Agent": "tinypool-lab",
            **({} if checked else {UNCHECKED: "1"}),
        }
        with self._asking:
            code, answer = self._send(method, path, None if body is None else json.dumps(body).encode(), headers)
        told: Object = json.loads(answer)
        if code < 300:
            return told
        message = f"the lab's API server answers {code} {told.get('reason')} to {method} {path}: {told.get('message')}"
        raise NotFoundError(message) if code == 404 else LabError(message)

    def _send(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """One request; over a new connection if the old one is of no use, as after a restart."""
        for fresh in (False, True):
            if fresh or self._connection is None:
                self._hang_up()
                self._connection = self._connect()
            try:
                self._connection.request(method, path, body, dict(headers))
                answer = self._connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._hang_up()
                if fresh or isinstance(error, TimeoutError):
                    state = self._api.state
                    raise LabError(f"the lab's API server, which is {state}, does not answer {method} {path}: {error!r}") from None
        raise AssertionError

    def _connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection("127.0.0.1", self._api.port, timeout=ANSWERING)
        return http.client.HTTPSConnection("127.0.0.1", self._api.port, timeout=ANSWERING, context=self._context)

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class NotFoundError(LabError):
    """There is no such resource, or no such namespace."""


def complete_status(name: str, given: Mapping[str, Any]) -> Object:
    """A status with all that the schema asks for.

    >>> complete_status("http-module-v1", {"addr": "127.0.0.1:50051"})["version"]
    '1.0.0'
    """
    component = {"name": "echo", "description": "Echo", "info": "Answers what it hears", "tags": ["lab"]}
    defaults = {"name": name, "version": "1.0.0", "sdkVersion": "0.1.0", "components": [component]}
    return {**defaults, **given}
