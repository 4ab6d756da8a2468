"""One thread that hands new rows on: to the log, to a recorder, to the live view."""

import logging
import threading
import time
import weakref
from collections.abc import Callable

from tinypool_nb.core.events import MarkKind
from tinypool_nb.errors import shown
from tinypool_nb.journal.bell import Bell
from tinypool_nb.journal.journal import Batch, Journal, Position

BREATH = 0.05
"""Seconds of rest after a delivery of calls alone: thousands may end in a second, and each would wake the thread."""

logger = logging.getLogger("tinypool_nb.journal")

Consumer = Callable[[Batch], object]
"""Is called with each batch of new rows, on the follower's thread. If it raises it is dropped, and the record goes on."""


class Follower:
    """Waits for a journal to change and calls the consumers with what is new; all of them on one thread, each from its own position.

    The thread starts with the first consumer. It holds the follower weakly, so that forgetting a follower ends its thread as
    `close` does. A slow consumer delays the other consumers and gets larger batches; it never delays who appends.

    >>> journal, seen = Journal(), []
    >>> read = threading.Event()
    >>> follower = Follower(journal)
    >>> follower.add(lambda batch: (seen.extend(batch.marks.values("text")), read.set()))
    >>> journal.mark("deployed v2").text, read.wait(5), seen
    ('deployed v2', True, ['deployed v2'])
    >>> follower.close()
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._positions: dict[Consumer, Position] = {}
        self._lock = threading.Lock()  # around the positions and the thread; never held while a consumer runs
        self._closed = False
        self._thread: threading.Thread | None = None
        weakref.finalize(self, journal.changed.ring).atexit = False  # wakes the thread, which then finds nobody to serve

    def add(self, consumer: Consumer, *, since: Position | None = None) -> None:
        """Call `consumer` with every row after `since`, or after now. A consumer that is already there stays where it was.

        Raises:
            RuntimeError: the follower was closed.
        """
        position = self._journal.position() if since is None else since
        with self._lock:
            if self._closed:
                raise RuntimeError("this follower was closed; no consumer can be added to it")
            self._positions.setdefault(consumer, position)
            if self._thread is None:
                arguments = (weakref.ref(self), self._journal.changed)
                self._thread = threading.Thread(target=_follow, args=arguments, name="tinypool-follower", daemon=True)
                self._thread.start()
        self._journal.changed.ring()  # there may be rows since that position

    def remove(self, consumer: Consumer) -> None:
        """Call `consumer` no more, but for a call that is under way. One that is not there is no error."""
        with self._lock:
            self._positions.pop(consumer, None)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self, timeout: float = 1.0) -> None:
        """End the thread, after the rows up to now were handed on. May be called twice, and by a consumer.

        Parameters:
            timeout: seconds at most to wait for consumers that are busy.
        """
        with self._lock:
            self._closed = True
            thread = self._thread
        self._journal.changed.ring()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def deliver(self) -> bool:
        """Call each consumer with what is new to it; whether that was calls and nothing else.

        The thread does so whenever the journal has changed.
        """
        with self._lock:
            waiting = list(self._positions.items())
        only_calls = False
        for consumer, position in waiting:
            batch = self._journal.since(position)
            only_calls = 0 < len(batch) == len(batch.calls)
            if len(batch) and self._advance(consumer, position, batch.position):
                try:
                    consumer(batch)
                except Exception as error:  # noqa: BLE001 an observer never breaks the observed, whatever it raises
                    self._drop(consumer, error)
        return only_calls

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._positions)} consumers"
        return f"<Follower of {self._journal!r}: {state}>"

    def _advance(self, consumer: Consumer, before: Position, after: Position) -> bool:
        """Note that `consumer` gets the rows up to `after`; False if it was removed meanwhile."""
        with self._lock:
            if self._positions.get(consumer) != before:
                return False
            self._positions[consumer] = after
            return True

    def _drop(self, consumer: Consumer, error: Exception) -> None:
        self.remove(consumer)
        name = getattr(consumer, "__qualname__", type(consumer).__name__)
        logger.error("consumer %s of the record raised and was dropped; the record goes on", name, exc_info=error)
        self._journal.mark(f"consumer {name} was dropped: {type(error).__name__}: {shown(str(error))}", kind=MarkKind.RECORD)


def _follow(reference: "weakref.ref[Follower]", changed: Bell) -> None:
    closing = False
    while not closing:
        changed.wait()  # what is appended from here on rings it again
        follower = reference()
        if follower is None:
            return
        closing = follower.closed  # before delivering, so that what was appended before close() is still handed on
        only_calls = follower.deliver()
        del follower  # the next wait must not keep it alive
        if only_calls and not closing:
            time.sleep(BREATH)
