"""When gRPC's next connection attempt can come: a window of time, since the wait is jittered.

Source: grpc/grpc `doc/connection-backoff.md`. Attempts of a failing run are counted from 1; a run ends when an attempt
succeeds (the peer's SETTINGS arrived), and the next one starts again at 1.
"""

from typing import NamedTuple

from tinypool_nb.core.options import Backoff

MULTIPLIER = 1.6
"""Each wait is this many times the one before; fixed in gRPC core."""
JITTER = 0.2
"""Each wait is drawn evenly from 1 - JITTER to 1 + JITTER of itself; fixed in gRPC core."""

_SECOND = 1_000_000_000
_HIGHEST_POWER = 64
"""1.6 to this power is past any maximum that options allow (86,400 s over 0.1 s), and far from overflowing a float."""


class Window(NamedTuple):
    """From when to when something can happen: nanoseconds since 1970-01-01 UTC, both ends included."""

    earliest: int
    latest: int


class Rung(NamedTuple):
    """One step of the ladder: the wait between the starts of two attempts, in seconds."""

    attempt: int
    """The attempt that the wait follows, counted from 1."""
    shortest: float
    nominal: float
    """Before the jitter."""
    longest: float


def rung(attempt: int, backoff: Backoff) -> Rung:
    """The wait from the start of an attempt to the start of the next one, if it fails before the wait is over.

    The cap applies before the jitter, so the longest wait of all is 1.2 times the maximum.

    Args:
        attempt: its number in the failing run, counted from 1.
        backoff: the settings of the channel.

    Raises:
        ValueError: `attempt` is less than 1.

    >>> rung(1, Backoff(initial=1.0))
    Rung(attempt=1, shortest=0.8, nominal=1.0, longest=1.2)
    """
    if attempt < 1:
        raise ValueError(f"attempt={attempt} was refused: attempts are counted from 1")
    nominal = min(backoff.initial * MULTIPLIER ** min(attempt - 1, _HIGHEST_POWER), backoff.maximum)
    return Rung(attempt, nominal * (1 - JITTER), nominal, nominal * (1 + JITTER))


def ladder(backoff: Backoff, attempts: int) -> tuple[Rung, ...]:
    """The first `attempts` rungs of a failing run.

    >>> [rung.nominal for rung in ladder(Backoff(initial=1.0, maximum=2.0), 4)]
    [1.0, 1.6, 2.0, 2.0]
    """
    return tuple(rung(attempt, backoff) for attempt in range(1, attempts + 1))


def window(attempt: int, start: int, backoff: Backoff, *, end: int | None = None) -> Window:
    """When the attempt after this one can start, if this one fails.

    Args:
        attempt: the number of this attempt in its failing run, counted from 1.
        start: when this attempt started, nanoseconds since 1970-01-01 UTC.
        backoff: the settings of the channel.
        end: when it failed, if it has. An attempt may take longer than its wait (up to `deadline`), and the next one
            starts no earlier than it ends.

    >>> window(1, 0, Backoff(initial=1.0))
    Window(earliest=800000000, latest=1200000000)
    >>> window(1, 0, Backoff(initial=1.0), end=20_000_000_000)
    Window(earliest=20000000000, latest=20000000000)
    """
    wait = rung(attempt, backoff)
    least = start if end is None else end
    return Window(max(start + round(wait.shortest * _SECOND), least), max(start + round(wait.longest * _SECOND), least))


def deadline(attempt: int, start: int, backoff: Backoff) -> Window:
    """When the attempt itself is given up: at the end of its wait, but not before `min_connect_timeout` has passed.

    >>> deadline(1, 0, Backoff(initial=1.0, min_connect_timeout=20.0))
    Window(earliest=20000000000, latest=20000000000)
    """
    return window(attempt, start, backoff, end=start + round(backoff.min_connect_timeout * _SECOND))


def within(gap: float, attempt: int, backoff: Backoff, *, tolerance: float = 0.1) -> bool:
    """Whether a measured gap is one that the specification allows: within 20 % plus 100 ms (gRPC's own interop oracle).

    Args:
        gap: seconds from the start of an attempt to the start of the next one.
        attempt: the number of the first of the two, counted from 1.
        backoff: the settings of the channel.
        tolerance: seconds that timers and the load of the machine may add or take.

    >>> within(1.28, 1, Backoff(initial=1.0)), within(1.4, 1, Backoff(initial=1.0))
    (True, False)
    """
    wait = rung(attempt, backoff)
    return wait.shortest - tolerance <= gap <= wait.longest + tolerance
