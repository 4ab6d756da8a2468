"""One clock for the whole record: the wall clock is read once, then only durations are added."""

from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """Nanoseconds since 1970 that never jump: a wall-clock epoch plus a monotonic clock.

    The two readings come from outside (`tinypool_nb.journal.clock.system_clock()`), since this room reads no clock.

    >>> Clock(epoch=1_000, monotonic=lambda: 5).now()
    1005
    """

    epoch: int
    """Wall clock minus monotonic clock, nanoseconds, at the moment when the clock was made."""
    monotonic: Callable[[], int]
    """Nanoseconds from an arbitrary start, never going back."""

    def now(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self.epoch + self.monotonic()
