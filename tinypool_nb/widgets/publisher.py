"""One thread owns every write to the widgets of a pool: at once when something has changed, then at most 8 times a second."""

import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from tinypool_nb.core.events import MarkKind
from tinypool_nb.errors import shown
from tinypool_nb.journal.follower import Follower
from tinypool_nb.journal.journal import Batch, Journal, Position

log = logging.getLogger(__name__)

PERIOD = 0.125
"""Seconds between two writes at the least."""

Write = Callable[[], object]
"""Something that writes to a widget; it is called in the publisher's thread."""


class View(Protocol):
    """What shows a journal."""

    def publish(self, batch: Batch) -> None:
        """Show these rows, which are new. Called in the publisher's thread, never with an empty batch; one that raises is dropped."""


class Publisher:
    """Gives each view what is new to it, and carries out single writes; all of it in one thread.

    A slow view, or a browser that does not listen, delays the other views and nothing else. The thread starts with the first
    view or write, holds the publisher weakly and ends with it.

    >>> from tinypool_nb.journal.journal import Journal
    >>> journal, written = Journal(), threading.Event()
    >>> publisher = Publisher(journal, Follower(journal))
    >>> publisher.post(written.set)
    >>> written.wait(5)
    True
    >>> publisher.close()
    """

    def __init__(self, journal: Journal, follower: Follower) -> None:
        self._journal = journal
        self._follower = follower
        self._positions: dict[View, Position] = {}
        self._at_end: dict[View, Write] = {}
        self._lock = threading.Lock()  # around the positions and the thread; never held while a view publishes
        self._thread: threading.Thread | None = None
        # A write, or None for "the journal has changed" and for the end; a SimpleQueue, so that the garbage collector may put into it.
        self._posted: queue.SimpleQueue[Write | None] = queue.SimpleQueue()
        self._closed = False
        weakref.finalize(self, self._posted.put, None).atexit = False

    def add(self, view: View, *, since: Position | None = None, at_end: Write | None = None) -> None:
        """Give `view` every row after `since`, or after now; and carry out `at_end` when everything was given and nothing more will come.

        Raises:
            RuntimeError: the publisher, or the follower of its pool, was closed.
        """
        position = self._journal.position() if since is None else since
        with self._lock:
            if self._closed:
                raise RuntimeError("this publisher was closed; no view can be added to it")
            self._positions[view] = position
            if at_end is not None:
                self._at_end[view] = at_end
        self._begin()
        self._follower.add(self._hear)
        self._posted.put(None)  # there may be rows since that position

    def remove(self, view: View) -> None:
        """Give `view` no more; one that is not there is no error."""
        with self._lock:
            self._positions.pop(view, None)
            self._at_end.pop(view, None)

    def post(self, write: Write) -> None:
        """Carry out one write soon, in the order of posting; quiet after the end."""
        if not self._closed:
            self._begin()
            self._posted.put(write)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self, timeout: float = 2.0) -> None:
        """Publish what is new once more, and end the thread. May be called twice.

        Args:
            timeout: seconds at most to wait for a view that is busy.
        """
        self._closed = True
        self._follower.remove(self._hear)
        self._posted.put(None)
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _hear(self, _: Batch) -> None:
        self._posted.put(None)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                arguments = (weakref.ref(self), self._posted)
                self._thread = threading.Thread(target=_publish, args=arguments, name="tinypool-publisher", daemon=True)
                self._thread.start()

    def work(self, writes: list[Write]) -> None:
        """Carry out the writes, then publish; called by the thread."""
        _carry_out(writes)
        with self._lock:
            waiting = list(self._positions.items())
        for view, position in waiting:
            batch = self._journal.since(position)
            if not len(batch):
                continue
            with self._lock:
                if self._positions.get(view) != position:
                    continue  # it was removed meanwhile, or began anew
                self._positions[view] = batch.position
            try:
                view.publish(batch)
            except Exception as error:  # who looks on never breaks the record
                self.remove(view)
                name = type(view).__name__
                log.exception("the view %s raised and was dropped", name)
                self._journal.mark(f"view {name} was dropped: {type(error).__name__}: {shown(str(error))}", kind=MarkKind.RECORD)

    def finish(self) -> None:
        """Forget the views, each by its own last write; called by the thread as it ends."""
        with self._lock:
            last = list(self._at_end.values())
            self._at_end.clear()
            self._positions.clear()
        _carry_out(last)


def _carry_out(writes: Iterable[Write]) -> None:
    for write in writes:
        try:
            write()
        except Exception:
            log.exception("a write to a widget failed")


def _publish(reference: "weakref.ref[Publisher]", posted: "queue.SimpleQueue[Write | None]") -> None:
    closing = False
    while not closing:
        writes = [posted.get()]
        with suppress(queue.Empty):
            while True:
                writes.append(posted.get_nowait())
        publisher = reference()
        if publisher is None:
            return
        closing = publisher.closed  # before the work, so that what was appended before close() is still shown
        publisher.work([write for write in writes if write is not None])
        if closing:
            publisher.finish()
        del publisher, writes  # the wait must keep alive neither it nor what holds it
        if not closing:
            time.sleep(PERIOD)
