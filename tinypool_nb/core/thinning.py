"""What of many calls can be drawn: in each small cell of the drawing the slowest of each code stands for all of its kind.

1. Time is cut into columns of equal width, whole nanoseconds; a call belongs to the one in which it ended.
2. Durations are cut into bands, six to a power of ten.
3. Of the calls of one code in one column and one band the slowest is drawn, the first of them if several are, and it
   stands for them all. So each code that occurs in a column is seen there: one failed call among a million is.
4. Where that makes more marks than are wanted, columns get wider.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.codes import Code
from tinypool_nb.core.lanes import Viewport

LEAST = 1_500
"""So many marks one column may need: one for each code in each band."""

_MOST_COLUMNS = 1_000
"""As many as the widest screen has, of some pixels each; so the table of cells stays small."""
_PER_DECADE = 6
_SHORTEST, _LONGEST = 1e3, 1e14
"""Nanoseconds: a microsecond and a day; what is shorter or longer shares the outermost bands."""
_BANDS = 1 + round(np.log10(_LONGEST / _SHORTEST)) * _PER_DECADE


class Thinned(NamedTuple):
    """The calls to draw, in the order in which they were given; arrays of one length, but for `column`."""

    shown: NDArray[np.int64]
    """Index, in what was given."""
    stands_for: NDArray[np.int64]
    """How many calls each of them stands for, itself included; together all that were given."""
    column: int
    """Nanoseconds that a column is wide."""


def thin(end: NDArray[np.int64], duration: NDArray[np.int64], code: NDArray[np.integer[Any]], *, viewport: Viewport, most: int) -> Thinned:
    """Choose the calls that stand for all. A million take a tenth of a second.

    Args:
        end: when each call ended, nanoseconds since 1970-01-01 UTC; shape (n,). What lies outside the viewport belongs to its
            first or last column.
        duration: nanoseconds, shape (n,).
        code: place of its code in `Code`, shape (n,).
        viewport: the time to show, and in how many columns, of which a thousand are used.
        most: marks at most, and at least LEAST.

    >>> calls = Viewport(0, 1000, 10)
    >>> thin(np.array([10, 20, 30]), np.array([10_000, 10_500, 10_200]), np.array([0, 0, 14]), viewport=calls, most=LEAST)
    Thinned(shown=array([1, 2]), stands_for=array([2, 1]), column=100)
    """
    most = max(most, LEAST)
    viewport = viewport._replace(pixels=min(viewport.pixels, _MOST_COLUMNS))
    logarithm = np.log10(np.clip(duration, _SHORTEST, _LONGEST) / _SHORTEST)
    kind = code.astype(np.int64) * _BANDS + (logarithm * _PER_DECADE).astype(np.int64)
    while True:
        thinned = _thin(end, duration, kind, viewport)
        if len(thinned.shown) <= most or viewport.pixels == 1:
            return thinned
        # As much wider as there are too many marks, and a tenth for what does not shrink in proportion.
        viewport = viewport._replace(pixels=max(1, int(viewport.pixels * most / len(thinned.shown) * 0.9)))


def _thin(end: NDArray[np.int64], duration: NDArray[np.int64], kind: NDArray[np.int64], viewport: Viewport) -> Thinned:
    """The slowest of each cell, a cell being a kind of call in a column."""
    column = np.clip((end - viewport.start) // viewport.column, 0, viewport.pixels - 1)
    cell = column * (len(Code) * _BANDS) + kind
    count = np.bincount(cell, minlength=viewport.pixels * len(Code) * _BANDS)
    slowest = np.full(len(count), -1, dtype=np.int64)
    np.maximum.at(slowest, cell, duration)
    candidates = np.flatnonzero(duration == slowest[cell])[::-1]
    first = np.zeros(len(count), dtype=np.int64)
    first[cell[candidates]] = candidates  # the last that is written stays: the first in order
    shown = np.sort(first[count > 0])
    return Thinned(shown, count[cell[shown]], viewport.column)
