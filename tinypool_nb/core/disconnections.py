"""Why connections were lost, in the words of gRFC A94: counted by `grpc.disconnect_error`.

gRPC core's trace says that a connection was lost, and rarely why. But a call under way on it ends at that moment with the
reason, so the two are brought together by their times. What no call was there to tell stays "unknown".
"""

import re
from collections import Counter

NEAR = 200_000_000
"""Nanoseconds between the end of a call and the loss of its connection within which both are one event."""

UNKNOWN_ERROR = "unknown"

# RFC 9113, section 7: the error codes of HTTP/2 by number.
_HTTP2 = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR"),
    *("REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
_GOAWAY = re.compile(r"GOAWAY received(?:; Error code: (\d+))?", re.IGNORECASE)
USUAL = ("connection reset", "connection timed out", "socket error", "GOAWAY NO_ERROR", "GOAWAY ENHANCE_YOUR_CALM", UNKNOWN_ERROR)
"""The values that are met in practice: a process that ends, a peer that does not answer, one that drains, one that has too many pings."""
_CONNECTING = re.compile(r"failed to connect|connections to all backends failing|handshake", re.IGNORECASE)
"""A failed attempt to connect, whose words may be those of a lost connection."""
_WORDS = (
    (re.compile(r"too_many_pings|too many pings|ENHANCE_YOUR_CALM", re.IGNORECASE), "GOAWAY ENHANCE_YOUR_CALM"),
    (re.compile(r"ping timeout|keepalive (watchdog )?time(d )?out|connection timed out|ETIMEDOUT", re.IGNORECASE), "connection timed out"),
    (re.compile(r"connection reset|ECONNRESET", re.IGNORECASE), "connection reset"),
    (re.compile(r"connection abort|ECONNABORTED", re.IGNORECASE), "connection aborted"),
    (re.compile(r"socket closed|broken pipe|end of tcp stream|recvmsg|sendmsg", re.IGNORECASE), "socket error"),
)


def disconnect_error(reason: str) -> str:
    """Which of gRFC A94's values the words of gRPC core stand for; "unknown" if they tell of no lost connection.

    >>> disconnect_error("Stream removed (Socket closed)"), disconnect_error("GOAWAY received; Error code: 0; Debug Text: max_age")
    ('socket error', 'GOAWAY NO_ERROR')
    """
    if _CONNECTING.search(reason):
        return UNKNOWN_ERROR
    for words, error in _WORDS:
        if words.search(reason):
            return error
    goaway = _GOAWAY.search(reason)
    if goaway is None:
        return UNKNOWN_ERROR
    number = int(goaway[1] or 0)
    return f"GOAWAY {_HTTP2[number] if number < len(_HTTP2) else 'UNKNOWN'}"  # a peer may send any number, and a label should not


class Disconnections:
    """How often one module's connection was lost, by the error. Counts never go down: one is made when its reason is settled.

    >>> lost = Disconnections()
    >>> lost.lost(1_000_000_000, "")
    >>> lost.told(1_000_500_000, "Stream removed (Socket closed)")
    >>> lost.counts(2_000_000_000)
    {'socket error': 1}
    """

    __slots__ = ("_counts", "_open", "_told")

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._open: int | None = None
        """When the connection was lost last, if nothing has told why."""
        self._told: tuple[int, str] | None = None
        """When a call told last of a loss that no transition has told of yet, and its error."""

    def lost(self, time: int, reason: str) -> None:
        """The connection was lost at `time`, nanoseconds; `reason` in core's words, mostly ""."""
        self._settle()
        error = disconnect_error(reason)
        if error == UNKNOWN_ERROR and self._told is not None and abs(time - self._told[0]) <= NEAR:
            error = self._told[1]
        self._told = None
        if error == UNKNOWN_ERROR:
            self._open = time
        else:
            self._counts[error] += 1

    def told(self, time: int, reason: str) -> None:
        """A call on the connection ended at `time`, with that reason."""
        error = disconnect_error(reason)
        if error == UNKNOWN_ERROR:
            return
        if self._open is not None and abs(time - self._open) <= NEAR:
            self._counts[error] += 1
            self._open = None
        elif self._told is None or abs(time - self._told[0]) > NEAR:  # of several at once the first counts, as gRFC A94 has it
            self._told = (time, error)

    def counts(self, now: int) -> dict[str, int]:
        """The counts up to `now`, nanoseconds; a loss of this moment, whose reason may still come, is left for the next time."""
        if self._open is not None and now - self._open > NEAR:
            self._settle()
        return dict(self._counts)

    def _settle(self) -> None:
        if self._open is not None:
            self._counts[UNKNOWN_ERROR] += 1
            self._open = None
