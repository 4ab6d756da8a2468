"""One thread that does what people click, so that a callback only says what is wanted and the kernel's loop is never held up."""

import logging
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

Action = Callable[[], object]


class Worker:
    """Does one thing after the other. The thread starts with the first and ends with `close`.

    An action tells of its own failures; one that raises is logged, and the next one is done all the same.

    >>> done = threading.Event()
    >>> worker = Worker()
    >>> worker.do(done.set)
    >>> done.wait(5)
    True
    >>> worker.close()
    """

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def do(self, action: Action) -> None:
        """Do this soon; returns at once. Quiet after `close`."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=_work, args=(self._wanted,), name="tinypool-worker", daemon=True)
                self._thread.start()
        self._wanted.put(action)

    def close(self, timeout: float = 2.0) -> None:
        """End when what is wanted already is done, waiting `timeout` seconds for it at most. May be called twice, and by an action."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._wanted.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)


def _work(wanted: "queue.SimpleQueue[Action | None]") -> None:
    while (action := wanted.get()) is not None:
        try:
            action()
        except Exception:
            log.exception("what was clicked failed")
        del action  # else the wait would keep alive what it holds
