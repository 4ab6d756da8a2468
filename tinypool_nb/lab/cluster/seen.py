"""What the server was asked: a bounded list, for tests that count requests."""

import threading
from collections import deque
from typing import NamedTuple

KEPT = 10_000
"""Requests; older ones are forgotten."""


class Request(NamedTuple):
    """One request that the API server got. It says nothing of headers, so no token stands in it."""

    time: float
    """When it came: seconds since 1970 UTC."""
    method: str
    path: str
    """With its parameters."""
    agent: str
    """What the client calls itself."""
    code: int
    """The status of the answer; 0: there was none, since the server was silent."""


class Seen:
    """The last requests.

    >>> seen = Seen()
    >>> seen.add(0.0, "GET", "/version", "curl", 200)
    >>> [request.path for request in seen.all()]
    ['/version']
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[Request] = deque(maxlen=KEPT)

    def add(self, time: float, method: str, path: str, agent: str, code: int) -> None:
        """Write one down."""
        with self._lock:
            self._requests.append(Request(time, method, path, agent, code))

    def all(self) -> list[Request]:
        """The requests in the order of their answers."""
        with self._lock:
            return list(self._requests)
