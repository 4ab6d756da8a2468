"""One accepted connection -> a stream of its own to a pod's port, through the API server.

The official client finds and opens the cluster: its settings, its TLS, its proxies, its requests. Its `stream.portforward` is left aside:
when the API server hangs up, its thread may die without closing anything, so that a caller waits for ever; it can be given no timeout and
not be ended; and it asks `select`, which takes no descriptor over 1023. Here an HTTP connection of the client's is upgraded, and `channels`
carries the bytes.

Source: Kubernetes API reference, "create connect GET requests to portforward of Pod"; RFC 6455, section 4.1.
"""

import base64
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import quote

import urllib3
from kubernetes.client import CoreV1Api
from urllib3.util import Timeout

from tinypool_nb.core.forwarding import Service, Target, selector_of, target_of
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.core.websockets import SUBPROTOCOL, accept_of
from tinypool_nb.discovery.channels import Channels, End
from tinypool_nb.discovery.kubeconfig import Cluster
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.resources import PIECE, refusal, trouble_of, whole
from tinypool_nb.discovery.tied import tie
from tinypool_nb.errors import ForwardError

CONNECTING = 5.0
"""Seconds that the API server gets to take a connection."""
ANSWERING = 10.0
"""Seconds that it gets for each answer."""
PODS = 20
"""That are asked for at once: with 1.5 MiB each at the most, they come in time."""
SWITCHING = 101


class Failure(NamedTuple):
    """Why a connection did not come about, or how it ended."""

    reason: str
    missing: MissingRight | None = None
    """What the API server refuses, if that is the reason."""


class Tunnel:
    """One connection to a module, for one thread's `run`.

    Args:
        accepted: the near end; taken over.
        service: whom it is for.
        connect: makes a way to the cluster of this connection's own.
        report: told how it went: None once the module answers, or why it does not.
    """

    def __init__(
        self, accepted: socket.socket, service: Service, connect: Callable[[], Cluster], report: Callable[[Failure | None], object]
    ) -> None:
        self._accepted = accepted
        self._service = service
        self._connect = connect
        self._report = report
        self._line = Lifeline()
        self._far: socket.socket | None = None
        self._responses: list[urllib3.BaseHTTPResponse] = []
        self._made_in = os.getpid()

    def start(self) -> threading.Thread:
        """Let a thread run it."""
        thread = threading.Thread(target=self.run, name="tinypool-forward", daemon=True)
        thread.start()
        return thread

    def cut(self) -> None:
        """End it at once; from any thread, and from a finalizer."""
        self._line.cut()
        if self._made_in == os.getpid():  # a fork shares the socket, and would end its parent's
            with suppress(OSError):
                self._accepted.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Find the pod, open the stream, and pass bytes on until one end closes."""
        cluster: Cluster | None = None
        try:
            cluster = self._connect()
            target = self._find(cluster)
            far = self._open(cluster, target)
            Channels(
                End(far),
                [End(self._accepted)],
                mask=lambda: os.urandom(4),
                failed=lambda reason: self._failed(cluster, reason),
                opened=lambda: self._report(None),
            ).run()
        except Exception as error:  # noqa: BLE001 its text may hold a secret: what is told of it is decided in one place
            self._tell(cluster, error)
        finally:
            with suppress(OSError):
                self._accepted.close()
            for response in self._responses:  # each holds its socket, which would not really close otherwise
                response.close()
            if self._far is not None:
                self._far.close()
            if cluster is not None:
                cluster.close()

    def _find(self, cluster: Cluster) -> Target:
        """The pod that is to be reached now: asked anew for each connection, since pods and services move."""
        core = CoreV1Api(cluster.api)
        service = self._service
        self._tie(cluster)
        told = self._ask("get", "services", lambda **how: core.read_namespaced_service(service.name, service.namespace, **how))
        return target_of(service, told, self._pods(core, selector_of(service, told)))

    def _pods(self, core: CoreV1Api, selector: str) -> Iterator[dict[str, Any]]:
        """The pods that it picks, a page at a time: of those behind the first that is ready nothing need be known."""
        following: dict[str, str] = {}
        while True:
            page = self._ask(
                "list",
                "pods",
                lambda following=following, **how: core.list_namespaced_pod(
                    self._service.namespace, label_selector=selector, limit=PODS, **following, **how
                ),
            )
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            following = {"_continue": token}

    def _tie(self, cluster: Cluster, response: type[http.client.HTTPResponse] = http.client.HTTPResponse) -> None:
        """Let the connections of this client tell their sockets from now on, and read such answers."""
        tie(cluster.api, self._line, lambda kind: self._telling(kind, response))

    def _telling(self, connection: type[Any], response: type[http.client.HTTPResponse]) -> type[Any]:
        tunnel = self

        class Telling(connection):  # type: ignore[misc]
            response_class = response

            def connect(self) -> None:
                super().connect()
                tunnel._far = self.sock

        return Telling

    def _ask(self, verb: str, resource: str, request: Callable[..., Any]) -> dict[str, Any]:
        with _Refused(verb, resource, self._service):
            deadline = time.monotonic() + ANSWERING
            response = request(_preload_content=False, _request_timeout=(CONNECTING, ANSWERING))
            self._responses.append(response)
            body = whole(response, deadline)
            if not 200 <= response.status < 300:
                raise refusal(response.status, body, response.reason or "")
            self._responses.pop().release_conn()
            told: dict[str, Any] = json.loads(body)
            return told

    def _open(self, cluster: Cluster, target: Target) -> socket.socket:
        """The connection, once the API server has made a WebSocket of it."""
        configuration = cluster.api.configuration
        key = base64.b64encode(os.urandom(16)).decode()
        path = f"/api/v1/namespaces/{quote(target.namespace, safe='')}/pods/{quote(target.pod, safe='')}/portforward?ports={target.port}"
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
        }
        shown = {each["key"]: each["value"] for each in configuration.auth_settings().values() if each["in"] == "header" and each["value"]}
        self._tie(cluster, _Unbuffered)
        with _Refused("create", "pods/portforward", self._service):
            response = cluster.api.rest_client.pool_manager.request(
                "GET",
                f"{configuration.host}{path}",
                headers={**headers, **shown},
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=Timeout(connect=CONNECTING, read=ANSWERING),
            )
            self._responses.append(response)
            if response.status != SWITCHING:
                raise refusal(response.status, response.read(PIECE), response.reason or "")
            if response.headers.get("Sec-WebSocket-Accept") != accept_of(key) or self._far is None:
                raise ForwardError("what answers in the API server's place is no WebSocket server")
        return self._far

    def _failed(self, cluster: Cluster | None, reason: str) -> None:
        """What is said on the error channel."""
        self._report(Failure(" ".join((reason if cluster is None else cluster.conceal(reason)).split())[:300]))

    def _tell(self, cluster: Cluster | None, error: Exception) -> None:
        if self._line.is_cut:
            return
        match error:
            case ForwardError() if not isinstance(error, _MissingRightError):
                self._report(Failure(str(error)))
            case _MissingRightError():
                self._report(Failure(str(error.missing), error.missing))
            case _:
                trouble = trouble_of(error, cluster, silence=None)
                self._report(Failure(f"the API server: {trouble.reason}"))


class _MissingRightError(ForwardError):
    """The API server does not let this user do it."""

    def __init__(self, missing: MissingRight) -> None:
        super().__init__(str(missing))
        self.missing = missing


class _Refused:
    """Makes of a refusal what it means for a service."""

    def __init__(self, verb: str, resource: str, service: Service) -> None:
        self._verb = verb
        self._resource = resource
        self._service = service

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        if not isinstance(error, Exception):
            return
        status = getattr(error, "status", 0)  # a Trouble's, and an ApiException's
        if status in {401, 403}:
            said = trouble_of(error, None, silence=None).reason
            raise _MissingRightError(MissingRight(status, self._verb, self._service.namespace, said, self._resource)) from None
        if status == 404:
            what = str(self._service) if self._resource == "services" else f"a pod of {self._service}"
            raise ForwardError(f"there is no {what}") from None


class _Unbuffered(http.client.HTTPResponse):
    """Reads no more of its socket than the head of an answer: what follows an upgrade is somebody else's."""

    def __init__(self, sock: socket.socket, *arguments: Any, **more: Any) -> None:
        super().__init__(sock, *arguments, **more)
        self.fp.close()
        self.fp = sock.makefile("rb", buffering=0)  # type: ignore[assignment]  # `makefile` says what it gives by its mode
