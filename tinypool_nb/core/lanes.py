"""What of many intervals can be drawn on few pixels: narrow ones are merged and the worst state wins.

The rule, which `lanes.js` repeats and `tests/vectors/lanes.json` holds both to:

1. The viewport is cut into columns of equal width, whole nanoseconds, rounded up; so there are at most `pixels` of them.
2. An open interval ends at `now`. An interval without length counts as one nanosecond. What lies outside the viewport is
   left out, and the rest is cut at the viewport's ends.
3. An interval narrower than a column makes each column that it touches *crowded*. A crowded column shows one state: the
   worst of all that touch it.
4. All other intervals keep their exact ends, but give way to the crowded columns at their ends.
5. Neighbours that touch and show the same state become one segment.

So nothing is moved while pixels suffice, a failure of a millisecond is never lost, and no edge is off by more than a pixel.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.palette import SEVERITY

OPEN = int(np.iinfo(np.int64).min)
"""The end of an interval that has not ended yet; numpy's NaT as an integer."""

Integers = NDArray[np.signedinteger[Any]]

_SEVERITY = np.array([SEVERITY[code] for code in range(-1, len(SEVERITY) - 1)], dtype=np.int8)
"""By code + 1."""
_CODE = np.argsort(_SEVERITY).astype(np.int8) - np.int8(1)
"""By severity."""


class Viewport(NamedTuple):
    """The time that a drawing shows and the pixels it has for it."""

    start: int
    """Nanoseconds since 1970-01-01 UTC."""
    end: int
    """Nanoseconds since 1970-01-01 UTC, not included; later than `start`."""
    pixels: int
    """At least 1."""

    @property
    def column(self) -> int:
        """Nanoseconds that one column of pixels stands for."""
        return max(1, -(-(self.end - self.start) // self.pixels))


class Segments(NamedTuple):
    """What is to be drawn, in order of lane and time; arrays of one length, but for `intervals`."""

    lane: NDArray[np.int64]
    start: NDArray[np.int64]
    """Nanoseconds since 1970-01-01 UTC."""
    end: NDArray[np.int64]
    """Nanoseconds since 1970-01-01 UTC, not included."""
    state: NDArray[np.int8]
    """Code of the state, -1 if unknown."""
    first: NDArray[np.int64]
    """Index, in what was given, of the first interval that the segment touches."""
    last: NDArray[np.int64]
    """Index, in what was given, of the last interval that the segment touches."""
    shown: NDArray[np.int64]
    """Index, in what was given, of the first interval that has the segment's state."""
    merged: NDArray[np.int64]
    """Number of intervals that the segment touches: 1 if it was not merged."""
    intervals: int
    """How many intervals lay in the viewport."""


def merge(lane: Integers, start: Integers, end: Integers, state: Integers, *, viewport: Viewport, now: int) -> Segments:
    """Reduce intervals to the segments that the pixels of the viewport can show.

    100,000 intervals take a few milliseconds if they come in order of lane and start, some more if not.

    Args:
        lane: number of the lane of each interval, from 0; shape (n,).
        start: nanoseconds since 1970-01-01 UTC; shape (n,).
        end: the same, or OPEN; shape (n,). Intervals of one lane do not overlap.
        state: code of the state, or -1 for unknown; shape (n,).
        viewport: the time to show, and on how many pixels.
        now: where open intervals end, nanoseconds since 1970-01-01 UTC.

    Raises:
        ValueError: the viewport is empty or has no pixel.

    >>> lanes, states = np.array([0, 0, 0]), np.array([2, 3, 2])
    >>> segments = merge(lanes, np.array([0, 500, 501]), np.array([500, 501, OPEN]), states, viewport=Viewport(0, 1000, 10), now=1000)
    >>> [(int(s), int(e), int(code)) for s, e, code in zip(segments.start, segments.end, segments.state, strict=True)]
    [(0, 500, 2), (500, 600, 3), (600, 1000, 2)]
    """
    if viewport.end <= viewport.start or viewport.pixels < 1:
        raise ValueError(f"{viewport} was refused: it ends after it starts and has at least one pixel")
    lane, start, end = (np.asarray(column, dtype=np.int64) for column in (lane, start, end))
    end = np.where(end == OPEN, now, end)
    end = np.maximum(end, start + 1)
    inside = (start < viewport.end) & (end > viewport.start)
    index = np.flatnonzero(inside)
    if len(index) < len(lane):
        lane, start, end = lane[index], start[index], end[index]
    if not _in_order(lane, start):
        order = np.lexsort((start, lane))
        index, lane, start, end = index[order], lane[order], start[order], end[order]
    severity = _SEVERITY[np.asarray(state, dtype=np.int64)[index] + 1]
    start = np.maximum(start, viewport.start)
    end = np.minimum(end, viewport.end)
    pieces = _pieces(lane, start, end, severity, viewport)
    return _join(pieces, index)


class _Pieces(NamedTuple):
    """Crowded columns and what is left of wide intervals, in order of lane and time, not yet joined."""

    lane: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    severity: NDArray[np.int8]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    shown: NDArray[np.int64]


def _in_order(lane: NDArray[np.int64], start: NDArray[np.int64]) -> bool:
    later = (lane[1:] > lane[:-1]) | ((lane[1:] == lane[:-1]) & (start[1:] >= start[:-1]))
    return bool(later.all())


def _pieces(
    lane: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], severity: NDArray[np.int8], viewport: Viewport
) -> _Pieces:
    width = viewport.column
    place = np.arange(len(lane))
    narrow = end - start < width
    if not narrow.any():
        return _Pieces(lane, start, end, severity, place, place, place)
    # A cell is a column of a lane, numbered through; each interval touches those from `left` to `right`.
    left = (start - viewport.start) // width
    right = (end - 1 - viewport.start) // width
    columns = viewport.pixels
    left_cell, right_cell = lane * columns + left, lane * columns + right
    is_crowded = np.zeros((int(lane[-1]) + 1) * columns, dtype=np.bool_)
    is_crowded[left_cell[narrow]] = True
    is_crowded[right_cell[narrow]] = True
    crowded = np.flatnonzero(is_crowded)

    # Intervals of a lane do not overlap, so a wide one touches crowded columns with its ends only.
    gives_way_left, gives_way_right = is_crowded[left_cell], is_crowded[right_cell]
    rest_start = np.where(gives_way_left, viewport.start + (left + 1) * width, start)
    rest_end = np.where(gives_way_right, viewport.start + right * width, end)
    rest = np.flatnonzero(~narrow & (rest_end > rest_start))

    cells = np.stack((left_cell, right_cell), axis=1).ravel()
    touching = is_crowded[cells]
    cells, touches = cells[touching], np.repeat(place, 2)[touching]
    order = np.argsort(cells, kind="stable")  # in order already, but for intervals that do overlap
    cells, touches = cells[order], touches[order]
    begins = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    bad = severity[touches]
    worst = np.maximum.reduceat(bad, begins)
    is_worst = bad == np.repeat(worst, np.diff(np.r_[begins, len(cells)]))
    shown = np.minimum.reduceat(np.where(is_worst, touches, len(lane)), begins)
    cell_start = viewport.start + (crowded % columns) * width

    order = np.argsort(np.r_[crowded, (left_cell + gives_way_left)[rest]], kind="stable")
    return _Pieces(
        np.r_[crowded // columns, lane[rest]][order],
        np.r_[cell_start, rest_start[rest]][order],
        np.r_[np.minimum(cell_start + width, viewport.end), rest_end[rest]][order],
        np.r_[worst, severity[rest]][order],
        np.r_[touches[begins], rest][order],
        np.r_[touches[np.r_[begins[1:], len(touches)] - 1], rest][order],
        np.r_[shown, rest][order],
    )


def _join(pieces: _Pieces, index: NDArray[np.int64]) -> Segments:
    """Make neighbours of one state one segment, and name the intervals by their place in what was given."""
    lane, start, end, severity, first, last, shown = pieces
    if not len(lane):
        return Segments(lane, start, end, severity, first, last, shown, first, 0)
    begins = np.flatnonzero(np.r_[True, (lane[1:] != lane[:-1]) | (severity[1:] != severity[:-1]) | (start[1:] != end[:-1])])
    ends = np.r_[begins[1:], len(lane)] - 1
    first, last = first[begins], last[ends]
    return Segments(
        lane[begins],
        start[begins],
        end[ends],
        _CODE[severity[begins]],
        index[first],
        index[last],
        index[shown[begins]],
        last - first + 1,
        len(index),
    )
