"""The timeline as a plotly figure: a lane a module, one bar trace a state, marks as symbols and lines."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import SEVERITY, Palette, Theme, palette_of
from tinypool_nb.views import calls_panel
from tinypool_nb.views.backoff_figure import backoff_plot
from tinypool_nb.views.figure_layout import BOTTOM, HATCHED_LANE, TOP, axis, common_layout, empty_note, figure, iso_times
from tinypool_nb.views.mark_traces import MARK_ROW_HEIGHT, MOST_MODULE_MARKS, mark_labels, mark_traces
from tinypool_nb.views.shown_calls import calls_of
from tinypool_nb.views.swimlanes import Swimlanes, describe, swimlanes
from tinypool_nb.views.wording import (
    cut,
    duration_text,
    for_plotly,
    lines_for_plotly,
    local_offsets,
    offset_text,
    one_line,
    span_text,
    times_text,
)

__all__ = ["Theme", "backoff_plot", "timeline"]

MOST_SEGMENTS = 16_000
"""Bars that a browser draws in two seconds or so."""
EXACT_INTERVALS = 3_000
"""Up to so many intervals are drawn unmerged, so that zooming in shows more."""

_PAGE_WIDTH = 900
"""Pixels that a figure is merged for if its width is left to the page."""
_SIDES = 190
"""Pixels of the width that labels and margins take, about."""
_LABEL_LENGTH = 32
_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000


def timeline(
    intervals: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    calls: pd.DataFrame | None = None,
    *,
    now: int,
    modules: Iterable[str | ModuleKey] | None = None,
    theme: Theme = "light",
    width: int | None = None,
    height: int | None = None,
) -> go.Figure:
    """A swimlane a module, one bar trace a state (the legend switches them), marks, and a hover with reason and duration.

    Up to 3,000 intervals are drawn as they are; more are merged to what the pixels can show, the worst state wins, and the
    subtitle says so. Calls stand in a panel below, by their durations. `figure.layout.meta["description"]` is a text alternative.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it; open intervals end at `now`.
        marks: the same; None for none.
        calls: the same; None for none.
        now: nanoseconds since 1970-01-01 UTC.
        modules: which modules to show, from the top, by their shown keys; all by default, in order of their first row.
        theme: "light" or "dark". The paper is transparent.
        width: pixels; by default the figure is as wide as the page lets it.
        height: pixels; by default it follows from the number of modules.
    """
    modules = None if modules is None else tuple(modules)
    pixels = max((width or _PAGE_WIDTH) - _SIDES, 50)
    called = calls_of(calls, modules)
    lay_out = partial(swimlanes, intervals, marks, now=now, modules=modules, pixels=pixels, most=MOST_SEGMENTS, reach=called.span)
    seen = lay_out(exact=EXACT_INTERVALS)
    palette = palette_of(theme)
    labels, rows = mark_labels(seen, pixels, palette)
    top = TOP + rows * MARK_ROW_HEIGHT
    count = max(len(seen.labels), 1)
    plot_height = max(height - top - BOTTOM - (calls_panel.HEIGHT if called else 0), 40) if height else round(count * _lane_height(count))
    lane_height = plot_height / count
    hatched = lane_height >= HATCHED_LANE
    if not hatched and seen.segments.intervals <= EXACT_INTERVALS:
        seen = lay_out(exact=0)  # thin bars have no outline, which keeps visible what is narrower than a pixel
    layout = common_layout(palette, title=_title(seen), subtitle=_subtitle(seen), top=top, height=top + plot_height + BOTTOM, width=width)
    layout |= {
        "meta": {"description": describe(intervals, now=now, modules=modules)},
        "barmode": "overlay",
        "bargap": 0.24 if hatched else 0.0,
        "annotations": labels if called or len(seen.segments.lane) else [*labels, empty_note("nothing recorded yet", palette)],
        "xaxis": _time_axis(seen),
        "yaxis": _lane_axis(seen, lane_height),
    }
    traces = [*_state_traces(seen, palette, hatched=hatched), *mark_traces(seen, palette, lane_height)]
    if called:
        calls_panel.add_calls_panel(traces, layout, called, seen, palette, pixels=pixels, lanes_height=plot_height)
    return figure(traces, layout)


def _title(seen: Swimlanes) -> str:
    if len(seen.labels) == 1:
        return for_plotly(cut(one_line(seen.labels[0]), 60))
    return f"Connections of {len(seen.labels):,} modules" if seen.labels else "Connections"


def _subtitle(seen: Swimlanes) -> str:
    if not len(seen.segments.lane) and not seen.marks:
        return ""
    parts = [span_text(seen.start, seen.end), duration_text((seen.end - seen.start) / _SECOND), seen.transport, seen.note]
    hidden = sum(mark.lane is not None for mark in seen.marks) - MOST_MODULE_MARKS
    if hidden > 0:
        parts.append(f"{hidden:,} older marks left out")
    return " · ".join(part for part in parts if part)


def _lane_height(count: int) -> float:
    """Pixels: comfortable for a few modules; a thousand share what fits on a screen and a half."""
    return 44.0 if count == 1 else min(28.0, max(1.5, 900 / count))


def _time_axis(seen: Swimlanes) -> dict[str, Any]:
    ahead = int(local_offsets(np.array([seen.end]))[0])
    title = f"time, UTC (local time is {offset_text(ahead)})" if ahead else "time, UTC"
    length = seen.end - seen.start
    # A little air, so that what lies at the very beginning and end is seen whole.
    within = np.iinfo(np.int64)  # a recording of other people's may tell of any time
    ends = np.array([max(seen.start - length // 80, within.min + 1), min(seen.end + length // 160, within.max)], dtype=np.int64)
    return axis(title) | {"type": "date", "range": iso_times(ends), "visible": len(seen.segments.lane) > 0}


def _lane_axis(seen: Swimlanes, lane_height: float) -> dict[str, Any]:
    count = len(seen.labels)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10**9) if step * lane_height >= 12)
    places = list(range(0, count, step))
    return axis("") | {
        "type": "linear",
        "range": [max(count, 1) - 0.5, -0.5],
        "tickmode": "array",
        "tickvals": places,
        "ticktext": [for_plotly(seen.lane_text(place, _LABEL_LENGTH)) for place in places],
        "ticks": "",
        "showgrid": False,
        "ticklabelstandoff": 4,
        "fixedrange": count <= 60,
    }


def _state_traces(seen: Swimlanes, palette: Palette, *, hatched: bool) -> list[dict[str, Any]]:
    segments = seen.segments
    hovers = np.array(_hovers(seen, palette), dtype=object)
    base = np.array(iso_times(segments.start), dtype=object)
    length = (segments.end - segments.start) / _MILLISECOND
    traces = []
    # The worst state is drawn last, so that it lies on top where bars share a pixel.
    for code in sorted(SEVERITY, key=SEVERITY.__getitem__):
        of_state = segments.state == code
        if not of_state.any():
            continue
        drawn = palette.looks[code]
        # The outline keeps what is narrower than a pixel visible, an interval without length included.
        marker: dict[str, Any] = {"color": drawn.colour, "line": {"width": 1 if hatched else 0, "color": drawn.colour}}
        if drawn.shape and hatched:
            marker["pattern"] = {"shape": drawn.shape, "fgcolor": drawn.hatch, "bgcolor": drawn.colour, "size": 6, "solidity": 0.25}
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": drawn.label,
                "showlegend": True,
                "legendrank": 1000 + code % 10,  # in gRPC's own order, unknown (-1) last
                "y": segments.lane[of_state].astype(np.int16 if len(seen.labels) < 32_768 else np.int32),
                "base": base[of_state].tolist(),
                "x": length[of_state],
                "hovertext": hovers[of_state].tolist(),
                "hoverinfo": "text",
                "textposition": "none",
                "marker": marker,
            }
        )
    return traces


def _hovers(seen: Swimlanes, palette: Palette) -> list[str]:
    """The hover of each segment: module, state, duration, what was merged, since and until, how it is secured, and why."""
    segments = seen.segments
    labels = [lines_for_plotly(label, width=60) for label in seen.labels]
    states = {code: drawn.label for code, drawn in palette.looks.items()}
    transports = {transport: lines_for_plotly(transport) for transport in set(seen.transports)}
    reasons = {reason: f"<br>{lines_for_plotly(reason)}" if reason else "" for reason in set(seen.reasons)}
    columns = zip(
        segments.lane.tolist(),
        segments.state.tolist(),
        ((seen.until - seen.since) / _SECOND).tolist(),
        segments.merged.tolist(),
        times_text(seen.since),
        times_text(seen.until),
        seen.is_open.tolist(),
        seen.transports,
        _local_times(seen),
        seen.reasons,
        strict=True,
    )
    return [
        f"<b>{labels[lane]}</b><br>{states[state]}, {duration_text(lasted)}{f' (the worst of {count:,} intervals)' if count > 1 else ''}"
        f"<br>{since} to {'now' if is_open else until[11:]} UTC{local}<br>{transports[transport]}{reasons[reason]}"
        for lane, state, lasted, count, since, until, is_open, transport, local, reason in columns
    ]


def _local_times(seen: Swimlanes) -> list[str]:
    ahead = local_offsets(seen.since)
    if not ahead.any():
        return [""] * len(ahead)
    return [f"<br>since {local[11:19]} local time" for local in times_text(seen.since + ahead * _SECOND)]
