"""How often which operation of a pool went how: the page's second metric."""

import threading
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from tinypool_nb.core.decisions import Operation, Status

STATUSES: Mapping[Operation, tuple[Status, ...]] = MappingProxyType(
    {
        "register": ("ok", "unchanged", "replaced", "error"),
        "unregister": ("ok", "unchanged", "error"),
        "reconnect": ("ok", "error"),
        "health_check": ("ok", "error"),
        "close": ("ok", "unchanged"),
        "send": ("ok", "error"),
        "hold": ("ok", "unchanged", "error"),
        "attempt": ("ok", "error"),
        "release": ("ok", "unchanged"),
    }
)
"""What can come of each operation. These counts begin at 0, since Prometheus takes no notice of a counter's first value."""


class Operations:
    """Counts operations. Thread-safe.

    >>> operations = Operations()
    >>> operations.add("register", "replaced")
    >>> operations.read()["register", "replaced"], operations.read()["register", "error"]
    (1, 0)

    Source: the page's `poolOperations`, which leaves the words of both labels open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[Operation, Status], int] = {(verb, status): 0 for verb, each in STATUSES.items() for status in each}

    def add(self, operation: Operation, status: Status) -> None:
        """Count one."""
        with self._lock:
            self._counts[operation, status] = self._counts.get((operation, status), 0) + 1

    def read(self) -> dict[tuple[Operation, Status], int]:
        """All counts up to now, by operation and status."""
        with self._lock:
            return dict(self._counts)


class Counting(Protocol):
    """What counts its operations."""

    _operations: Operations


Owner = TypeVar("Owner", bound=Counting)
Given = ParamSpec("Given")
Result = TypeVar("Result")
Method = Callable[Concatenate[Owner, Given], Result]


def counts_errors(operation: Operation) -> Callable[[Method[Owner, Given, Result]], Method[Owner, Given, Result]]:
    """Let a method count each error with which it ends; how it went otherwise only the method itself can tell."""

    def decorate(method: Method[Owner, Given, Result]) -> Method[Owner, Given, Result]:
        @wraps(method)
        def counting(self: Owner, /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                return method(self, *args, **kwargs)
            except Exception:
                self._operations.add(operation, "error")
                raise

        return counting

    return decorate
