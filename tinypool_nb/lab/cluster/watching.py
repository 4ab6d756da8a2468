"""A watch: what one client is told, line by line.

Source: Kubernetes API concepts, "Efficient detection of changes" and "Watch bookmarks".
"""

import random
from collections.abc import Iterator
from time import monotonic

from tinypool_nb.lab.cluster.faults import Ending, Faults
from tinypool_nb.lab.cluster.labels import Selection
from tinypool_nb.lab.cluster.query import Query
from tinypool_nb.lab.cluster.statuses import ApiStatusError, expired
from tinypool_nb.lab.cluster.store import Event, Store, Stored, encode
from tinypool_nb.lab.cluster.tinymodule import API_VERSION, KIND

LONGEST = (1_800, 3_600)
"""Seconds after which a watch ends whose client named no timeout: drawn from here, so that not all come back at once."""
LAST_BOOKMARK = 2.0
"""Seconds before the end of a watch in which it gets its last bookmark."""
GARBAGE = b"<html><body>502 Bad Gateway</body></html>\n"
LOOKING = 0.5
"""Seconds between two looks at whether the client is still there."""


class Watch:
    """The state of one watch.

    Args:
        store: what is watched.
        faults: what may befall it.
        selection: what the client wants to hear of.
        query: the request's parameters.
        bookmark_every: seconds between two bookmarks, for a client that asked for them.
    """

    def __init__(self, store: Store, faults: Faults, selection: Selection, query: Query, *, bookmark_every: float) -> None:
        self._store = store
        self._faults = faults
        self._selection = selection
        self._asked = query.version()
        timeout = query.integer("timeoutSeconds")
        self._end = monotonic() + (timeout or random.uniform(*LONGEST))  # noqa: S311  # nothing secret
        self._every = bookmark_every if query.flag("allowWatchBookmarks") else 0.0
        self._bookmark = self._next_bookmark()
        self._seen = self._asked or 0
        self._epoch = faults.epoch
        self.ending = Ending.CLEAN
        """How the connection ends when the lines are over."""

    def lines(self) -> Iterator[bytes]:
        """What to send, in pieces of whole lines; an empty piece asks whether the client is still there."""
        try:
            with self._store.changed:
                piece = self._news() if self._asked else self._everything()
            yield piece
            while not self._is_over():
                with self._store.changed:
                    self._await_news()
                    piece = b"" if self._faults.silent or self._is_dropped() else self._news()
                yield piece
            yield self._last_line()
        except ApiStatusError as error:
            yield line("ERROR", encode(error.status()))

    def _last_line(self) -> bytes:
        match self.ending:
            case Ending.ERROR:
                return line("ERROR", encode(ApiStatusError(500, "InternalError", self._faults.last_words).status()))
            case Ending.GARBAGE:
                return GARBAGE
            case _:
                return b""

    def _is_dropped(self) -> bool:
        return self._faults.epoch != self._epoch

    def _is_over(self) -> bool:
        if self._is_dropped():
            self.ending = self._faults.ending
            return True
        return monotonic() >= self._end

    def _await_news(self) -> None:
        if self._faults.silent:
            self._store.changed.wait(LOOKING)
        elif self._store.revision <= self._seen:
            self._store.changed.wait(max(0.0, min(LOOKING, min(self._end, self._bookmark) - monotonic())))

    def _everything(self) -> bytes:
        """What is there, for a client that named no version to go on from."""
        self._seen = self._store.revision
        return b"".join(line("ADDED", stored.encoded) for stored in self._store.ordered() if self._selection.picks(stored.identity))

    def _news(self) -> bytes:
        """What was written since the last look, and a bookmark if one is due.

        Raises:
            ApiStatusError: 410, it was forgotten.
        """
        if self._seen < self._store.cached:
            raise expired(f"too old resource version: {self._seen} ({self._store.cached})")
        pieces = [told for event in self._store.since(self._seen) if (told := self._tell(event))]
        self._seen = max(self._seen, self._store.revision)
        if monotonic() >= self._bookmark:
            pieces.append(line("BOOKMARK", bookmark(self._seen)))
            self._bookmark = self._next_bookmark()
        return b"".join(pieces)

    def _tell(self, event: Event) -> bytes:
        """The event as this client sees it: what leaves its selection is deleted, what enters it is added."""
        was = event.was is not None and self._selection.picks(event.was.identity)
        now = event.now is not None and self._selection.picks(event.now.identity)
        if now:
            assert event.now is not None
            return line("MODIFIED" if was else "ADDED", event.now.encoded)
        if not was:
            return b""
        assert event.was is not None
        return line("DELETED", (event.last or Stored.of(event.was.body, event.revision)).encoded)  # as it was, at the version of its going

    def _next_bookmark(self) -> float:
        """In a while, and once more shortly before the end."""
        if not self._every:
            return self._end + 1
        now, last = monotonic(), self._end - LAST_BOOKMARK
        return min(now + self._every, last) if last > now else now + self._every


def line(kind: str, encoded: bytes) -> bytes:
    """One line of a watch.

    >>> line("ADDED", b"{}").decode().strip()
    '{"type":"ADDED","object":{}}'
    """
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), encoded)


def bookmark(revision: int) -> bytes:
    """An object that tells nothing but how far the watch has come."""
    return encode({"kind": KIND, "apiVersion": API_VERSION, "metadata": {"resourceVersion": str(revision)}})
