"""The last minute of a journal as arrays: what a view needs that draws all of it anew each time."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinypool_nb.core.folding import NO_TIME, interval_ends
from tinypool_nb.core.lanes import Segments, Viewport, merge
from tinypool_nb.core.states import State
from tinypool_nb.journal.journal import Batch, Journal, Position
from tinypool_nb.widgets.packing import RECORD, Message, Packing

HISTORY = 100_000
"""Changes that a window begins with at the most."""

_SECOND = 1_000_000_000


class Drawn(NamedTuple):
    """The segments of a window, and what belongs to them."""

    segments: Segments
    since: NDArray[np.int64]
    """When the first interval of each segment began, nanoseconds since the epoch."""
    reasons: list[str]
    """Of each segment: why the first interval in its state began."""


class Window:
    """The intervals that reach into the last `span` seconds, kept up batch by batch; what is older is forgotten.

    Args:
        journal: where it begins; later batches come by `add`.
        span: seconds.

    >>> Window(Journal(), span=60.0).draw(now=60_000_000_000, pixels=100, most=10).segments.intervals
    0
    """

    def __init__(self, journal: Journal, *, span: float) -> None:
        self.epoch = journal.clock.now() // _SECOND
        """Seconds since 1970-01-01 UTC; the times of a window count from here, in nanoseconds."""
        self.labels: list[str] = []
        """The shown key of each lane's module; foreign text."""
        self.marks: list[tuple[int, int, str, str]] = []
        """Time, lane (-1: all), kind and text; those of the window, in order of arrival."""
        self._span = round(span * _SECOND)
        self._lanes: list[int] = []  # of each channel
        self._reasons = [""]
        self._records = np.empty(0, RECORD)
        self._packing = Packing(self.epoch)
        batch, totals = journal.snapshot()
        self.position: Position = batch.position
        """Where the batches have to begin."""
        self._take(self._packing.snapshot(batch, totals, now=journal.clock.now(), history=HISTORY))

    def add(self, batch: Batch) -> bool:
        """Take up new rows; whether there is anything new to draw."""
        message = self._packing.delta(batch, now=0)
        if message is not None:
            self._take(message)
        return message is not None

    def draw(self, *, now: int, pixels: int, most: int, until: int = 0) -> Drawn:
        """The segments of the window that ends at `now`, merged to what the pixels can show.

        Args:
            now: nanoseconds since the epoch.
            pixels: width of the drawing.
            most: segments at most; columns get wider than a pixel where that would not do.
            until: where open intervals end, if later than `now`; nanoseconds since the epoch.
        """
        until = max(now, until)
        start = now - self._span
        lane, times = self._lane_of_records(), self._records["time"].astype(np.int64)
        ends = interval_ends(lane, times)
        kept = (ends == NO_TIME) | (ends > start)
        self._records, lane, times, ends = self._records[kept], lane[kept], times[kept], ends[kept]
        self.marks = [mark for mark in self.marks if mark[0] > start]
        open_ = np.flatnonzero(self._records["state"] != State.SHUTDOWN.code)
        rows = lane[open_], times[open_], ends[open_], self._records["state"][open_].astype(np.int64)
        viewport = Viewport(start, until, max(1, round(pixels * (until - start) / self._span)))
        segments = merge(*rows, viewport=viewport, now=until)
        while len(segments.lane) > most and viewport.pixels > 1:
            viewport = viewport._replace(pixels=max(1, int(viewport.pixels * most / len(segments.lane) * 0.9)))
            segments = merge(*rows, viewport=viewport, now=until)
        reasons = [self._reasons[number] for number in self._records["reason"][open_][segments.shown].tolist()]
        return Drawn(segments, times[open_][segments.first], reasons)

    def _take(self, message: Message) -> None:
        head, records = message
        self.labels += head.get("lanes", [])
        self._lanes += [lane for lane, *_ in head.get("channels", [])]
        self._reasons += head.get("reasons", [])
        self.marks += head.get("marks", [])
        self._records = np.concatenate([self._records, np.frombuffer(records, RECORD)])

    def _lane_of_records(self) -> NDArray[np.int64]:
        return np.array(self._lanes, np.int64)[self._records["channel"]] if len(self._records) else np.zeros(0, np.int64)
