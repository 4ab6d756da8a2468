"""Which ports the lab's servers try."""

import random
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import TypeVar

from tinypool_nb.errors import LabError

PORTS = range(20_000, 32_768)
"""Below the ephemeral ports, so that no client of anybody sits on a module's port while the module is down."""
RETRY = 0.02
"""Seconds between two rounds over ports that are taken."""
Served = TypeVar("Served")
CANDIDATES = 40
"""Ports that a new server may try before it gives up."""


class Ports:
    """The ports of one lab. A server binds its port itself, so that nobody can take it between choosing and serving.

    >>> ports = Ports(range(20_000, 20_003))
    >>> ports.taken.add(20_001)
    >>> sorted(ports.draw())
    [20000, 20002]
    """

    def __init__(self, allowed: range = PORTS) -> None:
        self.allowed = allowed
        self.taken: set[int] = set()
        """Ports of the lab's modules: one that is down keeps its port, since it may restart."""

    def draw(self) -> tuple[int, ...]:
        """Ports for a new server to try: by lot, so that labs of several notebooks rarely meet.

        Raises:
            LabError: all are taken by the lab's own modules.
        """
        drawn = random.sample(self.allowed, min(len(self.allowed), CANDIDATES + len(self.taken)))
        free = tuple(port for port in drawn if port not in self.taken)[:CANDIDATES]
        if not free:
            raise LabError(f"no port is left: the modules of this lab have all of {self.allowed}; give Lab(ports=) more")
        return free


def first_free(ports: tuple[int, ...], serve: Callable[[int], Served], patience: float) -> Served:
    """What `serve` makes on the first of `ports` that can be bound.

    Args:
        ports: tried in their order, over and over.
        serve: binds the port, or raises an OSError.
        patience: seconds after which the last round is over: a port that a killed process had is free only a moment later.

    Raises:
        OSError: none could be bound.

    >>> first_free((20_001, 20_002), lambda port: f"serving at {port}", patience=0.0)
    'serving at 20001'
    """
    deadline = monotonic() + patience
    while True:
        for port in ports:
            with suppress(OSError):
                return serve(port)
        if monotonic() >= deadline:
            raise not_to_be_had(ports)
        sleep(RETRY)


def not_to_be_had(ports: tuple[int, ...], host: str = "127.0.0.1") -> OSError:
    """The error of a server that could bind none of `ports`.

    >>> str(not_to_be_had((20_001,)))
    'port 20001 of 127.0.0.1 cannot be bound: another process has it, or the system keeps it back'
    """
    which = f"port {ports[0]}" if len(ports) == 1 else f"each of {len(ports)} ports from {min(ports)} to {max(ports)}"
    return OSError(f"{which} of {host} cannot be bound: another process has it, or the system keeps it back")
