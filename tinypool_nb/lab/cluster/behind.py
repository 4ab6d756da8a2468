"""What stands behind a module's name in the lab's cluster: a service, and a pod for each of its servers, as an operator makes them."""

import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tinypool_nb.core.addresses import parse_address
from tinypool_nb.lab.cluster.changes import timestamp
from tinypool_nb.lab.cluster.resources import NotFoundError, Resources

PORT = 50051
"""Of every service; the pods' own ports are the servers'."""
LABEL = "app.kubernetes.io/name"


class Names:
    """Which cluster-only address leads where, in a file that the lab's proxies read. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, str] = {}
        self._writing = threading.Lock()

    def tell(self, names: list[str], place: str | None) -> None:
        """Say where they lead; None for nowhere any more."""
        with self._writing:
            for name in names:
                self._places.pop(name, None)
                if place is not None:
                    self._places[name] = place
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(self._places))
            os.replace(fresh, self.path)  # noqa: PTH105  # a reader has the old one or the new one


class Behind:
    """The service and the pods of one module.

    Args:
        resources: by which requests are sent.
        name: the module's.
        namespace: where it is.
        names: told of the addresses.
    """

    def __init__(self, resources: Resources, name: str, namespace: str, names: Names) -> None:
        self._resources = resources
        self._name = name
        self._namespace = namespace
        self._names = names
        self._pods: list[str] = []

    @property
    def address(self) -> str:
        """What a cluster calls it."""
        return f"{self._name}.{self._namespace}.svc.cluster.local:{PORT}"

    def put(self, address: str) -> None:
        """Let the name lead to the servers at `address`: pods come for them, and the former ones go."""
        former, wanted = self._pods, {f"{self._name}-{port}": port for port in parse_address(address).ports}
        for pod, port in wanted.items():
            if pod not in former:
                self._resources.ask("POST", self._path("pods"), _pod(pod, self._name, port))
        if not former:
            self._resources.ask("POST", self._path("services"), _service(self._name))
        self._pods = list(wanted)
        self._delete([pod for pod in former if pod not in wanted])
        first = parse_address(address).endpoints[0]
        self._names.tell(self._all(), str(first))

    def remove(self) -> None:
        """Take it all away; quiet about what somebody took away already."""
        self._names.tell(self._all(), None)
        with suppress(NotFoundError):
            self._resources.ask("DELETE", self._path("services", self._name))
        self._delete(self._pods)
        self._pods = []

    def _delete(self, pods: list[str]) -> None:
        for pod in pods:
            with suppress(NotFoundError):
                self._resources.ask("DELETE", self._path("pods", pod))

    def _all(self) -> list[str]:
        """Every way to write its address; the bare name is known in its namespace, and so to a proxy there."""
        name, space = self._name, self._namespace
        return [f"{host}:{PORT}" for host in (f"{name}.{space}.svc.cluster.local", f"{name}.{space}.svc", f"{name}.{space}", name)]

    def _path(self, plural: str, *names: str) -> str:
        return "/".join([f"/api/v1/namespaces/{quote(self._namespace, safe='')}/{plural}", *names])


def _service(name: str) -> dict[str, Any]:
    spec = {
        "type": "ClusterIP",
        "clusterIP": "10.96.0.1",
        "selector": {LABEL: name},
        "ports": [{"name": "grpc", "port": PORT, "protocol": "TCP", "targetPort": "grpc"}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {LABEL: name}}, "spec": spec}


def _pod(pod: str, name: str, port: int) -> dict[str, Any]:
    now = timestamp()
    container = {"name": "module", "image": "lab", "ports": [{"name": "grpc", "containerPort": port, "protocol": "TCP"}]}
    ready = [
        {"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    status = {"phase": "Running", "podIP": "127.0.0.1", "hostIP": "127.0.0.1", "startTime": now, "conditions": ready}
    spec = {"containers": [container], "nodeName": "lab"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "labels": {LABEL: name}}, "spec": spec, "status": status}
