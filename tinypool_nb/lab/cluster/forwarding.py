"""The server's end of a port-forward: a WebSocket, from which a pod's ports are reached. A pod of the lab has its ports on 127.0.0.1.

Source: RFC 6455, section 4.2; Kubernetes, `k8s.io/kubelet/pkg/cri/streaming/portforward`.
"""

import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from tinypool_nb.core.websockets import SUBPROTOCOL, accept_of
from tinypool_nb.discovery.channels import Channels, End
from tinypool_nb.lab.cluster.query import Query
from tinypool_nb.lab.cluster.statuses import bad_request

DIALLING = 5.0
"""Seconds that a module gets to take a connection."""


class Upgrade(NamedTuple):
    """A request that is to become a WebSocket."""

    headers: tuple[tuple[str, str], ...]
    """Of the answer."""
    ports: tuple[int, ...]


def upgrade(headers: Mapping[str, str], query: Query, pod: Mapping[str, Any]) -> Upgrade:
    """What to answer to a request for a pod's ports.

    Raises:
        ApiStatusError: 400, it is no WebSocket, or names no ports; or the pod does not run.
    """
    if (pod.get("status") or {}).get("phase") != "Running":
        name = pod["metadata"]["name"]
        raise bad_request(
            f"unable to forward port because pod is not running. Current status={(pod.get('status') or {}).get('phase')}: {name}"
        )
    told = {name.lower(): value for name, value in headers.items()}
    wanted = {name.strip() for name in told.get("sec-websocket-protocol", "").split(",")}
    key = told.get("sec-websocket-key", "")
    if told.get("upgrade", "").lower() != "websocket" or not key or SUBPROTOCOL not in wanted:
        raise bad_request(f"Upgrade request required: a WebSocket of {SUBPROTOCOL}")
    ports = tuple(int(port) for port in query.text("ports").split(",") if port.isdecimal() and 0 < int(port) < 65_536)
    if not ports:
        raise bad_request('query parameter "ports" is required')
    answer = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_of(key),
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    return Upgrade(tuple(answer.items()), ports)


def forward(client: socket.socket, ports: tuple[int, ...], pod: Mapping[str, Any]) -> None:
    """Carry the bytes of those ports until the client or one of them has ended; then close all."""
    ends, errors = [], {}
    for number, port in enumerate(ports):
        end, error = _dialled(port, pod)
        ends.append(end)
        if error:
            errors[number] = error
    channels = Channels(End(client), ends)
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            channels.say(channel, port.to_bytes(2, "little"))
        if number in errors:
            channels.say(2 * number + 1, errors[number].encode())
    channels.run()


def _dialled(port: int, pod: Mapping[str, Any]) -> tuple[End, str]:
    """A connection to the port; or one that has ended, and why."""
    opened = {each["containerPort"] for container in pod["spec"]["containers"] for each in container.get("ports") or ()}
    try:
        if port not in opened:  # nothing else of the loopback is in this pod
            raise ConnectionRefusedError(111, "Connection refused")
        connected = socket.create_connection(("127.0.0.1", port), DIALLING)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return End(connected), ""
    except OSError as error:
        one, other = socket.socketpair()
        other.close()
        metadata = pod["metadata"]
        why = (error.strerror or str(error)).lower()
        told = f"failed to connect to localhost:{port} inside namespace, dial tcp 127.0.0.1:{port}: connect: {why}"
        return End(one), f"error forwarding port {port} to pod {metadata['name']}, uid {metadata['uid']}: {told}"
