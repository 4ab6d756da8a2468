"""What a timeline shows, before it is drawn by plotly, as SVG or as text: lanes, segments and marks from frames."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tinypool_nb.core import lanes
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import SEVERITY, UNKNOWN_LABEL
from tinypool_nb.core.states import STATES, UNKNOWN, State
from tinypool_nb.core.tls import Transport
from tinypool_nb.views.wording import cut, duration_text, one_line, span_text

_SECOND = 1_000_000_000
_NEVER_SEEN = -2
PLAINTEXT_MARK = f" ({Transport.PLAINTEXT})"
"""Behind the name of a lane that is plaintext where others are not."""


class PlacedMark(NamedTuple):
    """A mark and the lane it belongs to."""

    time: int
    """Nanoseconds since 1970-01-01 UTC."""
    kind: str
    text: str
    lane: int | None
    """None if it is about all modules."""


class Swimlanes(NamedTuple):
    """All that a timeline shows."""

    labels: tuple[str, ...]
    """The shown key of each lane's module, from the top; foreign text, not escaped."""
    lane_transports: tuple[str, ...]
    """How each lane's module is connected at the end; "" if nothing was recorded of it."""
    start: int
    """Nanoseconds since 1970-01-01 UTC: where the drawing begins."""
    end: int
    segments: lanes.Segments
    since: NDArray[np.int64]
    """When the first interval of each segment began, nanoseconds since 1970-01-01 UTC."""
    until: NDArray[np.int64]
    """When the last interval of each segment ended; `now` if it is open."""
    is_open: NDArray[np.bool_]
    reasons: list[str]
    """Of each segment: why the first interval in its state began."""
    transports: list[str]
    """Of each segment: how the connection was secured in that interval."""
    marks: tuple[PlacedMark, ...]
    """In order of time."""

    @property
    def note(self) -> str:
        """What was merged, as a sentence for the reader; "" if nothing was."""
        drawn = len(self.segments.lane)
        if drawn == self.segments.intervals:
            return ""
        return f"{self.segments.intervals:,} intervals merged to {_counted(drawn, 'segment')}; the worst state wins"

    @property
    def transport(self) -> str:
        """How the lanes are connected at the end: "plaintext" if all are, else for example "2 TLS, 1 plaintext"."""
        return transport_text(self.lane_transports)

    @property
    def marks_plaintext(self) -> bool:
        """Whether lanes that are plaintext say so, since others are not."""
        return len({transport.startswith(Transport.PLAINTEXT) for transport in self.lane_transports if transport}) > 1

    def lane_text(self, lane: int, most: int) -> str:
        """A lane's label on one line, cut to `most` characters, and behind them a mark if it is plaintext where others are not."""
        mark = PLAINTEXT_MARK if self.marks_plaintext and self.lane_transports[lane].startswith(Transport.PLAINTEXT) else ""
        return f"{cut(one_line(self.labels[lane]), most)}{mark}"


def swimlanes(
    intervals: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    now: int,
    modules: Iterable[str | ModuleKey] | None = None,
    pixels: int,
    most: int,
    exact: int = 0,
    reach: Sequence[int] = (),
) -> Swimlanes:
    """Lay out the intervals and marks of the modules, merged to what can be shown.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it; a missing state is a gap.
        marks: the same; None for none.
        now: where open intervals end, nanoseconds since 1970-01-01 UTC.
        modules: which modules to show, from the top, by their shown keys; all by default, in order of their first row.
        pixels: width of the drawing.
        most: segments at most; columns get wider than a pixel where that would not do, down to one column.
        exact: up to so many intervals are drawn as they are, so that a drawing can be zoomed into.
        reach: further moments, nanoseconds since 1970-01-01 UTC, that the drawing must include.
    """
    rows = _rows(intervals, now, modules)
    placed = _marks(marks, rows.labels, everything=modules is None)
    start, end = _span(rows, placed, now, reach)
    segments = _merged(rows, lanes.Viewport(start, end, pixels), now, most, exact)
    reasons, transports = (column.take(segments.shown).astype(object).fillna("").tolist() for column in (rows.reason, rows.transport))
    since, until, is_open = rows.start[segments.first], rows.end[segments.last], rows.is_open[segments.last]
    return Swimlanes(rows.labels, _lane_transports(rows), start, end, segments, since, until, is_open, reasons, transports, placed)


def transport_text(transports: Iterable[str]) -> str:
    """How connections are secured, in words.

    >>> transport_text(["plaintext", "plaintext"]), transport_text(["plaintext", "TLS", "TLS", ""])
    ('plaintext', '2 TLS, 1 plaintext')
    """
    counts = Counter(transport for transport in transports if transport)
    if len(counts) < 2:
        return "".join(counts)
    return ", ".join(f"{counts[each]:,} {each}" for each in sorted(counts, key=lambda each: (each == Transport.PLAINTEXT, each)))


def shown_keys(frame: pd.DataFrame) -> pd.Series:
    """The key of each row as people read it: `name` or `namespace/name`."""
    name, namespace = frame["module"].astype(object), frame["namespace"].astype(object)
    return name.where(namespace.isna(), namespace.astype(str) + "/" + name.astype(str))


def nanoseconds(times: pd.Series) -> NDArray[np.int64]:
    """Nanoseconds since 1970-01-01 UTC; a missing time is lanes.OPEN, the same bits."""
    return times.to_numpy(dtype="datetime64[ns]").view(np.int64)


def describe(intervals: pd.DataFrame, *, now: int, modules: Iterable[str | ModuleKey] | None = None) -> str:
    """A timeline in one paragraph, for whoever cannot see it.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it.
        now: where open intervals end, nanoseconds since 1970-01-01 UTC.
        modules: as in `swimlanes`.
    """
    rows = _rows(intervals, now, modules)
    if not len(rows.lane):
        return "A timeline of gRPC connections: nothing recorded yet."
    last = np.full(len(rows.labels), _NEVER_SEEN, dtype=np.int8)
    last[rows.lane] = State.SHUTDOWN.code  # a closed module has no open interval
    last[rows.lane[rows.is_open]] = rows.state[rows.is_open]
    worst_first = sorted(SEVERITY, key=lambda code: -SEVERITY[code])
    ends = ", ".join(f"{count:,} {_label(code)}" for code in worst_first if (count := int((last == code).sum())))
    sentences = [
        f"A timeline of the gRPC connections of {_counted(len(rows.labels), 'module')} from {span_text(*_span(rows, (), now))}.",
        f"Transport: {transport_text(_lane_transports(rows))}.",
        f"At its end: {ends}.",
    ]
    failed = rows.state == State.TRANSIENT_FAILURE.code
    if failed.any():
        lasted = np.where(failed, rows.end - rows.start, -1)
        longest = int(lasted.argmax())
        sentences.append(
            f"{_counted(len(np.unique(rows.lane[failed])), 'module')} failed {_counted(int(failed.sum()), 'time')}; "
            f"the longest failure was {duration_text(lasted[longest] / _SECOND)}, of {one_line(rows.labels[rows.lane[longest]])}."
        )
    else:
        sentences.append("No failure was recorded.")
    gaps = int((rows.state == UNKNOWN).sum())
    if gaps:
        sentences.append(f"{_counted(gaps, 'gap')} in the record {'is' if gaps == 1 else 'are'} shown as {UNKNOWN_LABEL}.")
    return " ".join(sentences)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _label(code: int) -> str:
    return UNKNOWN_LABEL if code == UNKNOWN else STATES[code].value


class _Rows(NamedTuple):
    """The columns of the intervals of the modules that are shown, as arrays of one length, and a label a lane."""

    labels: tuple[str, ...]
    lane: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """`now` if it is open."""
    is_open: NDArray[np.bool_]
    state: NDArray[np.int8]
    reason: pd.Series
    transport: pd.Series


def _rows(intervals: pd.DataFrame, now: int, modules: Iterable[str | ModuleKey] | None) -> _Rows:
    labels, lane = lanes_of(intervals, modules)
    shown = np.flatnonzero(lane >= 0)
    if len(shown) < len(lane):
        intervals, lane = intervals.iloc[shown], lane[shown]
    start, end = nanoseconds(intervals["start"]), nanoseconds(intervals["end"])
    is_open = end == lanes.OPEN
    end = np.maximum(np.where(is_open, now, end), start)
    state = intervals["state"].cat.codes.to_numpy().astype(np.int8, copy=False)
    return _Rows(labels, lane, start, end, is_open, state, intervals["reason"], intervals["transport"])


def _lane_transports(rows: _Rows) -> tuple[str, ...]:
    """The transport of the last interval of each lane, "" where there is none."""
    transports = np.array(["", *rows.transport.cat.categories], dtype=object)
    last = np.zeros(len(rows.labels), dtype=np.int64)
    last[rows.lane] = rows.transport.cat.codes.to_numpy() + 1  # the intervals of a module are in order of time: the last one stays
    return tuple(transports[last])


def lanes_of(rows: pd.DataFrame, modules: Iterable[str | ModuleKey] | None) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The label of each lane, and the lane of each row of a frame with modules, -1 if it is not shown."""
    names, namespaces = rows["module"].cat, rows["namespace"].cat
    key = (namespaces.codes.to_numpy().astype(np.int64) + 1) * len(names.categories) + names.codes.to_numpy()
    lane, keys = pd.factorize(key)
    first = np.zeros(len(keys), dtype=np.int64)
    first[lane[::-1]] = np.arange(len(lane))[::-1]
    labels = tuple(shown_keys(rows.iloc[first]))
    lane = lane.astype(np.int64)
    if modules is None:
        return labels, lane
    asked = tuple(dict.fromkeys(map(str, modules)))
    places = {label: place for place, label in enumerate(asked)}
    moved = np.array([places.get(label, -1) for label in labels], dtype=np.int64)
    return asked, moved[lane] if len(lane) else lane


def _marks(marks: pd.DataFrame | None, labels: Sequence[str], *, everything: bool) -> tuple[PlacedMark, ...]:
    """The marks of the lanes and those about all modules. A mark of a module that has no lane yet is shown as one about all."""
    if marks is None or marks.empty:
        return ()
    places = {label: place for place, label in enumerate(labels)}
    about_all = marks["module"].isna()
    placed = []
    rows = zip(
        nanoseconds(marks["time"]).tolist(), marks["kind"].astype(str), marks["text"].astype(str), shown_keys(marks), about_all, strict=True
    )
    for time, kind, text, key, is_about_all in rows:
        lane = None if is_about_all else places.get(key)
        if lane is None and not is_about_all:
            if not everything:
                continue
            text = f"{key}: {text}"  # noqa: PLW2901
        placed.append(PlacedMark(time, kind, text, lane))
    return tuple(sorted(placed, key=lambda mark: mark.time))


def _span(rows: _Rows, marks: Sequence[PlacedMark], now: int, reach: Sequence[int] = ()) -> tuple[int, int]:
    """From the first interval, mark or moment of `reach` to the last; at least a millisecond."""
    starts = [*reach, *(mark.time for mark in marks[:1])] + ([int(rows.start.min())] if len(rows.lane) else [])
    ends = [*reach, *(mark.time for mark in marks[-1:])] + ([int(rows.end.max())] if len(rows.lane) else [])
    start = min(starts, default=now)
    return start, max(*ends, start + _SECOND // 1_000) if ends else start + _SECOND


def _merged(rows: _Rows, viewport: lanes.Viewport, now: int, most: int, exact: int) -> lanes.Segments:
    if len(rows.lane) <= exact:
        place = np.arange(len(rows.lane))
        return lanes.Segments(rows.lane, rows.start, rows.end, rows.state, place, place, place, np.ones_like(place), len(place))
    segments = lanes.merge(rows.lane, rows.start, rows.end, rows.state, viewport=viewport, now=now)
    while len(segments.lane) > most and viewport.pixels > 1:
        # Wider columns: as much wider as there are too many segments, and a tenth for what does not shrink in proportion.
        viewport = viewport._replace(pixels=max(1, int(viewport.pixels * most / len(segments.lane) * 0.9)))
        segments = lanes.merge(rows.lane, rows.start, rows.end, rows.state, viewport=viewport, now=now)
    return segments
