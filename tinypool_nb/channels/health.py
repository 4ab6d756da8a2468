"""Periodic health checks, off until somebody starts them.

Source: the page's Monitor Pool Health.
"""

import logging
import queue
import threading
import weakref
from typing import Protocol

from tinypool_nb.core.options import check_period
from tinypool_nb.errors import PoolClosedError

log = logging.getLogger(__name__)


class Checkable(Protocol):
    """What can be checked."""

    def health_check(self) -> object:
        """Check once."""


class HealthChecks:
    """One thread, while checks are on, that holds its pool weakly and ends with it."""

    def __init__(self, pool: Checkable) -> None:
        self._pool = weakref.ref(pool)
        self.every: float | None = None
        """Seconds between two checks; None while they are off."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # A SimpleQueue may be put into by a finalizer, in the midst of anything.
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()

    def start(self, every: float) -> None:
        """Check every so many seconds from now on, instead of as before.

        Raises:
            OptionsError: `every` is not a number of at least 0.01 s.
        """
        check_period("every", every)
        with self._lock:
            self._end()
            self._ended = queue.SimpleQueue()
            self._thread = threading.Thread(
                target=_check, args=(self._pool, every, self._ended), name="tinypool-health-checks", daemon=True
            )
            self._thread.start()
            self.every = every

    def stop(self) -> None:
        """Check no more; a check under way is waited for."""
        with self._lock:
            self._end()

    def abandon(self) -> None:
        """As `stop`, but without waiting or locking, for a finalizer."""
        self._ended.put(None)

    def _end(self) -> None:
        self._ended.put(None)
        self.every = None
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None


def _check(pool: weakref.ref[Checkable], every: float, ended: queue.SimpleQueue[None]) -> None:
    while True:
        try:
            ended.get(timeout=every)
        except queue.Empty:
            pass
        else:
            return
        checked = pool()
        if checked is None:
            return
        try:
            checked.health_check()
        except PoolClosedError:
            return
        except Exception:
            log.exception("a periodic health check failed; the next one comes in %g s", every)
        del checked  # else this thread would keep the pool alive while it waits
