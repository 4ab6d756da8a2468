"""The table of connections, redrawn in place as the journal grows."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tinypool_nb.views import frames, pictures

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from tinypool_nb.journal.follower import Follower
    from tinypool_nb.journal.journal import Batch, Journal

PERIOD = 0.125
"""Seconds between two drawings at the least."""


class LiveTable:
    """Draws itself wherever it is displayed, at once when something changes and then at most 8 times a second.

    It holds the journal, not the pool, and ends with the follower. `stop()` leaves the last picture. A terminal has no
    place to redraw: there it prints itself once.
    """

    def __init__(self, journal: Journal, follower: Follower) -> None:
        self._journal = journal
        self._follower = follower
        self._handle: DisplayHandle | None = None
        self._lock = threading.Lock()  # around the timer
        self._drawing = threading.Lock()  # else an older picture could overtake a newer one
        self._drawn_at = 0.0
        self._timer: threading.Timer | None = None

    def _ipython_display_(self) -> None:
        from IPython.core.getipython import get_ipython
        from IPython.display import DisplayHandle

        handle = self._handle or DisplayHandle()  # type: ignore[no-untyped-call]
        # The same handle again, so that a second display leaves the first one alive.
        handle.display(self._bundle(), raw=True)  # type: ignore[no-untyped-call]
        if self._handle is None and type(get_ipython()).__name__ != "TerminalInteractiveShell":
            self._handle = handle
            with suppress(RuntimeError):  # the pool is closed: this picture is the last
                self._follower.add(self._follow)

    def stop(self) -> None:
        """Draw once more and then no more."""
        self._follower.remove(self._follow)
        self._draw()

    def _follow(self, _: Batch) -> None:
        with self._lock:
            if self._timer is not None:
                return  # a drawing is on its way and will show this too
            wait = self._drawn_at + PERIOD - time.monotonic()
            self._timer = threading.Timer(max(0.0, wait), self._draw)
            self._timer.daemon = True
            self._timer.name = "tinypool-live-table"
            self._timer.start()

    def _draw(self) -> None:
        with self._lock:
            self._timer = None
            self._drawn_at = time.monotonic()
        if self._handle is not None:
            with self._drawing:
                self._handle.update(self._bundle(), raw=True)  # type: ignore[no-untyped-call]

    def _bundle(self) -> dict[str, str]:
        frame = frames.connections(self._journal)
        return {"text/plain": pictures.connections_text(frame), "text/html": pictures.connections_html(frame)}

    def __repr__(self) -> str:
        return pictures.connections_text(frames.connections(self._journal))
