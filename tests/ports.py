"""Ports for the tests' own servers: of each worker of pytest-xdist others, and none of the lab's.

So one that was just closed is still free when the test binds it again: nobody else draws from there.
"""

import os
import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # gRPC reads the environment while it loads, and who imports this may come first
    import grpc

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = range(10_000 + 1_000 * WORKER, 11_000 + 1_000 * WORKER)


def listening() -> socket.socket:
    """A socket that listens on a free port of 127.0.0.1."""
    for port in random.sample(PORTS, 50):
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
    raise AssertionError("no free port")


def bound(server: "grpc.Server") -> int:
    """The free port of 127.0.0.1 to which the server was bound."""
    with listening() as free:  # which a server that shares its port, as gRPC's do, has not
        port: int = free.getsockname()[1]
    return server.add_insecure_port(f"127.0.0.1:{port}")
