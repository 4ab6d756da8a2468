"""What a pool holds of its metrics: the parts they are made of, and the servers that show them. Loads nothing before it is asked."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tinypool_nb.core.states import State
from tinypool_nb.errors import PoolClosedError
from tinypool_nb.journal.journal import Journal
from tinypool_nb.metrics.operations import Operations

if TYPE_CHECKING:
    from tinypool_nb.metrics.collector import PoolCollector
    from tinypool_nb.metrics.server import MetricsServer


class Metrics:
    """One collector and any number of servers. Thread-safe; it holds parts of the pool, never the pool."""

    def __init__(self, journal: Journal, states: Callable[[], Mapping[str, State]], operations: Operations) -> None:
        self._parts = journal, states, operations.read
        self._lock = threading.Lock()
        self._collector: PoolCollector | None = None
        self._servers: tuple[MetricsServer, ...] = ()
        self._closed = False

    def collector(self) -> "PoolCollector":
        """The pool's collector, always the same."""
        from tinypool_nb.metrics.collector import PoolCollector

        with self._lock:
            if self._collector is None:
                self._collector = PoolCollector(*self._parts)
            return self._collector

    def serve(self, port: int, address: str) -> "MetricsServer":
        """Open one more server.

        Raises:
            OptionsError: as `MetricsServer`.
            PoolClosedError: after `close`.
        """
        from tinypool_nb.metrics.server import MetricsServer

        collector = self.collector()
        with self._lock:
            if self._closed:
                raise PoolClosedError("serve_metrics")
            server = MetricsServer(collector, port, address)
            self._servers = (*(open_ for open_ in self._servers if not open_.is_closed), server)
            return server

    def close(self) -> None:
        """Close every server, and open none any more."""
        with self._lock:
            self._closed = True
            for server in self._servers:
                server.close()

    def abandon(self) -> None:
        """As `close`, but without waiting or locking, for a finalizer."""
        for server in self._servers:
            server.abandon()
