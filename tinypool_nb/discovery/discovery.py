"""What a person holds of a discovery: is it synced, since when not, why, and its end."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tinypool_nb.core.discovering import Scope
from tinypool_nb.core.discovery_status import DiscoveryReport, DiscoveryStatus, told_standings
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.reflecting import Came
from tinypool_nb.core.rights import MissingRight
from tinypool_nb.discovery.book import Book
from tinypool_nb.discovery.forwards import Forwards
from tinypool_nb.discovery.lifeline import Lifeline
from tinypool_nb.discovery.registry import Registry
from tinypool_nb.errors import NotSyncedError

if TYPE_CHECKING:  # they load the Kubernetes client
    from tinypool_nb.discovery.reflector import Reflector
    from tinypool_nb.discovery.resources import Trouble

SLOWEST_END = 2.0
"""Seconds that `close` waits for the thread. Nothing can end a look-up of a name or a command to log in by; they mostly end soon."""


class Discovery:
    """Keeps a pool equal to the TinyModules of a cluster, in a thread of its own, until it or the pool is closed.

    Made by `pool.discover`. Closing it leaves the modules that it registered as they are; those that it forwards leave the pool.

    Args:
        registry: that of the pool.
        book: its own there.
        source: where the configuration was found, in words.
        now: nanoseconds since 1970 UTC.
        changed: called, in the thread of the discovery and often, after anything about it may have changed; it must return at once.
    """

    def __init__(
        self, registry: Registry, book: Book, source: str, now: Callable[[], int], changed: Callable[[], object] = lambda: None
    ) -> None:
        self.scope: Scope = book.scope
        """Which resources it is about."""
        self.source = source
        self.book = book
        self.line = Lifeline()
        self.forwards = book.forwards
        """The local ports that lead to its modules; None without port_forward, and once another discovery took them over."""
        self._registry = registry
        self._now = now
        self._changed = changed
        self._status = DiscoveryStatus(synced=False, stale_since=None, last_error="", missing=None, resource_version="")
        self._heard: int | None = None
        self._told: tuple[str, Came, int] | None = None
        self._unwell: int | None = None
        """Since when something has been wrong; None while nothing is."""
        self._relisting = ""
        """What has made a list necessary, to be told with it; "" for nothing."""
        self._relisted = False
        """Whether a list came since, of which nothing was told."""
        self._synced = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, reflector: "Reflector") -> None:
        """Begin, once."""
        self._thread = threading.Thread(target=reflector.run, name="tinypool-discovery", daemon=True)
        self._thread.start()

    @property
    def status(self) -> DiscoveryStatus:
        """How it stands now: synced, stale since when, the last error, and what right is missing."""
        status = self._status
        if self.forwards is not None and self.forwards.missing is not None:
            status = replace(status, missing_forward=self.forwards.missing)
        if status.synced or self._heard is None:
            return status
        return replace(status, stale_since=datetime.fromtimestamp(self._heard / 1e9, UTC))

    def report(self) -> DiscoveryReport:
        """How it stands now, with what became of its resources, for who shows it."""
        return DiscoveryReport(self.scope, self.source, self.status, self._registry.counts(self.book))

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.line.is_cut

    def wait(self, timeout: float | None = 10.0) -> None:
        """Block until the pool has what the API server says.

        Args:
            timeout: seconds; None for as long as it takes.

        Raises:
            NotSyncedError: not in time, or it was closed. Its `status` says why.

        Example:
            >>> pool.discover(namespace="tinysystems").wait(timeout=10)  # doctest: +SKIP
        """
        came = self._synced.wait(timeout)
        if not came or self.is_closed:
            raise NotSyncedError(str(self.scope), timeout if not came else None, self.status)

    def close(self) -> None:
        """End it, within a second or so. Nothing happens the second time.

        The modules that it registered stay registered, except those that it forwards: nothing leads to them any more.
        """
        was_open = self.book.is_open
        self.end()
        if was_open and self.forwards is not None:
            self._registry.cut_off(self.forwards)

    def end(self) -> None:
        """As `close`, and leave the pool as it is."""
        self.abandon()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(SLOWEST_END)
        if self.forwards is not None:
            self.forwards.end()
        if self.book.is_open:
            self._registry.close(self.book)
            self._changed()

    def hand_over(self) -> Forwards | None:
        """Its local ports, with the connections through them, for a discovery that replaces this one."""
        forwards, self.forwards = self.forwards, None
        return forwards

    def abandon(self) -> None:
        """As `close`, but without waiting or locking, for a finalizer."""
        self.line.cut()
        if self.forwards is not None:
            self.forwards.abandon()

    # What the reflector tells, in its thread.

    def seen(self, resource: object) -> None:
        """A resource is there."""
        self._registry.seen(self.book, resource)
        self._changed()

    def gone(self, resource: object) -> None:
        """A resource is there no more."""
        self._registry.gone(self.book, resource)
        self._changed()

    def complete(self, keys: set[ModuleKey]) -> None:
        """A list is complete."""
        self._registry.complete(self.book, keys)
        self._changed()

    def heard(self, version: str) -> None:
        """The server said something, which was applied."""
        self._heard = self._now()
        self._status = replace(self._status, resource_version=version)

    def well(self, version: str, *, by_list: bool, due_for: str = "") -> None:
        """The pool has what the server says."""
        is_first, self._heard = self._heard is None, self._now()
        is_over = self._told is None or not by_list or self._told[0] == "list"  # else the watch has yet to be let in again
        missing = None if is_over else self._status.missing
        self._status = replace(self._status, synced=True, missing=missing, resource_version=version)
        self._synced.set()
        self._changed()
        why = self._relisting or due_for
        if by_list and why:
            self._registry.tell(f"relisted: {why}")
            self._relisting = ""
        elif by_list and not is_first:
            self._relisted = True
        if is_over:
            self._tell_back(at_last=is_first)

    def _tell_back(self, *, at_last: bool) -> None:
        since, told, relisted = self._unwell, self._told, self._relisted
        self._unwell, self._told, self._relisted = None, None, False
        if since is not None and told is not None:
            how = "at last" if at_last else f"after {(self._now() - since) / 1e9:.1f} s"
            self._registry.tell(f"the API server is back, {how}{'; relisted' if relisted else ''}")

    def troubled(self, trouble: "Trouble", verb: str) -> None:
        """A request did not end well."""
        if self._unwell is None:
            self._unwell = self._now()
        refused = trouble.status if trouble.came is Came.REFUSED else 0
        missing = MissingRight(refused, verb, self.scope.namespace, trouble.reason) if refused else None
        is_kept = refused == 403 and verb == "watch"  # lists go on; 401 and 404 are about them as well
        synced = self._status.synced and is_kept
        self._status = replace(self._status, synced=synced, last_error=_error(trouble), missing=missing)
        if not synced:
            self._synced.clear()
        self._changed()
        if trouble.came in {Came.GONE, Came.SILENT}:  # a list comes at once, and tells whether more is wrong
            self._relisting = trouble.reason
            return
        if verb == "list":
            self._relisting = ""  # it is an outage that makes it necessary, whatever was taken for the reason before
        what = verb, trouble.came, refused
        if what != self._told:
            self._told = what
            self._registry.tell(f"lost the API server: {trouble.reason}" if missing is None else f"refused: {missing}")

    def ended(self) -> None:
        """Nothing comes any more."""
        self._status = replace(self._status, synced=False)
        self._synced.set()  # for who waits

    def __repr__(self) -> str:
        modules = told_standings(self._registry.counts(self.book))
        return f"<Discovery {self.scope} {'closed' if self.is_closed else self.status}; {modules}>"


def _error(trouble: "Trouble") -> str:
    return f"{trouble.status}: {trouble.reason}" if trouble.status else trouble.reason
