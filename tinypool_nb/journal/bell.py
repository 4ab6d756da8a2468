"""How a thread that appends wakes the one that reads."""

import queue


class Bell:
    """Wakes the one thread that waits for it.

    It takes no lock, as an Event does, so the garbage collector may ring it in the midst of anything, of a ring included.

    >>> bell = Bell()
    >>> bell.ring(), bell.is_rung, bell.wait(), bell.is_rung
    (None, True, None, False)
    """

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    @property
    def is_rung(self) -> bool:
        """Whether somebody rang and nobody has heard it yet."""
        return not self._queue.empty()

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        if self._queue.empty():
            self._queue.put(None)

    def wait(self) -> None:
        """Wait for a ring; one that comes later is heard by the next call."""
        self._queue.get()
