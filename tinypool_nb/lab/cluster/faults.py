"""What can be made to go wrong in the API server, beside killing and freezing it."""

import threading
from dataclasses import dataclass
from enum import StrEnum

from tinypool_nb.lab.cluster.statuses import ApiStatusError

REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""The statuses that can be injected, with the word for programs."""
TOLD = "the lab was told to refuse this request"


class Ending(StrEnum):
    """How a watch is ended."""

    CLEAN = "clean"
    """As after its timeout: the answer is complete."""
    RESET = "reset"
    """The connection is gone after a whole line."""
    MID_LINE = "mid line"
    """The connection is gone in the midst of a line."""
    ERROR = "error"
    """An event within the watch says that the server failed, as when its storage is lost for a moment."""
    GARBAGE = "garbage"
    """A line that is no event, as from a proxy that writes its own page into the answer."""


@dataclass(slots=True)
class Refusal:
    """The status that requests get in place of an answer."""

    code: int
    retry_after: int | None
    left: int | None
    """How many requests; None: all of them."""
    message: str = TOLD


class Faults:
    """What is wrong at the moment. All of it is changed under `changed`, which the watches wait for.

    >>> faults = Faults(threading.Condition())
    >>> faults.refuse(503, times=1, retry_after=2)
    >>> faults.refusal().status()["reason"]
    'ServiceUnavailable'
    >>> faults.refusal() is None
    True
    """

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self._refusal: Refusal | None = None
        self.silent = False
        """Connections are accepted, and nobody is told anything."""
        self.epoch = 0
        """Watches of another epoch than this are ended, by `ending`."""
        self.ending = Ending.CLEAN
        self.last_words = ""
        """What an ending in an ERROR event says."""

    def refuse(self, code: int, *, times: int | None, retry_after: int | None, message: str | None = None) -> None:
        """Answer the next `times` requests (None: all) with that status."""
        with self._changed:
            self._refusal = Refusal(code, retry_after, times, TOLD if message is None else message)

    def refusal(self) -> ApiStatusError | None:
        """What the next request gets in place of an answer; None: nothing is wrong."""
        with self._changed:
            told = self._refusal
            if told is None:
                return None
            if told.left is not None:
                told.left -= 1
                if not told.left:
                    self._refusal = None
        return ApiStatusError(told.code, REASONS[told.code], told.message, retry_after=told.retry_after)

    def silence(self) -> None:
        """Say nothing to anybody."""
        with self._changed:
            self.silent = True

    def heal(self) -> None:
        """Let all be well again; who waits for an answer since the silence began loses the connection."""
        with self._changed:
            self._refusal = None
            self.silent = False
            self._changed.notify_all()

    def await_speech(self) -> None:
        """Return once nobody has to be silent.

        Raises:
            ConnectionAbortedError: one had to, so the connection is of no use any more.
        """
        if self.silent:
            with self._changed:
                self._changed.wait_for(lambda: not self.silent)
            raise ConnectionAbortedError

    def drop(self, ending: Ending, message: str | None = None) -> None:
        """End every watch that is under way."""
        with self._changed:
            self.ending = ending
            self.last_words = "etcdserver: leader changed" if message is None else message
            self.epoch += 1
            self._changed.notify_all()
