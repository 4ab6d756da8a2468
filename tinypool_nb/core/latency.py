"""How long calls took, counted in the buckets of gRFC A66, so that a distribution of any number of calls has one size."""

from array import array
from bisect import bisect_left
from typing import NamedTuple

BOUNDS = (
    *(0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008),
    *(0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0),
)
"""Upper bounds of the buckets, seconds, each included; the last bucket, above 100 s, has none. Source: gRFC A66, "Units"."""

_NANOSECONDS = tuple(round(bound * 1e9) for bound in BOUNDS)


class Distribution(NamedTuple):
    """How many calls took how long, at one moment."""

    counts: tuple[int, ...]
    """Of each bucket, not added up; one more than BOUNDS."""
    total: float
    """Seconds of all calls together."""


class Histogram:
    """Counts durations.

    >>> histogram = Histogram()
    >>> histogram.add(700_000)
    >>> histogram.read().counts[BOUNDS.index(0.0008)], histogram.read().total
    (1, 0.0007)
    """

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts: array[int] = array("q", bytes(8 * (len(BOUNDS) + 1)))
        self._total = 0

    def add(self, duration: int) -> None:
        """Count one duration, nanoseconds."""
        self._counts[bisect_left(_NANOSECONDS, duration)] += 1
        self._total += duration

    def read(self) -> Distribution:
        """A copy that later calls do not change."""
        return Distribution(tuple(self._counts), self._total / 1e9)
