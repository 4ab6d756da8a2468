"""The timeline as a plotly figure: a lane a module, one bar trace a state, marks as symbols and lines."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.palette import SEVERITY, Palette, Theme, palette_of
from tinypool_nb.views.backoff_figure import backoff_plot
from tinypool_nb.views.figure_layout import BOTTOM, TOP, axis, common_layout, empty_note, figure, iso_times
from tinypool_nb.views.swimlanes import PlacedMark, Swimlanes, describe, swimlanes
from tinypool_nb.views.wording import (
    cut,
    duration_text,
    for_plotly,
    label_rows,
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
MOST_MODULE_MARKS = 2_000
"""Symbols on lanes; the newest are kept."""

_PAGE_WIDTH = 900
"""Pixels that a figure is merged for if its width is left to the page."""
_SIDES = 190
"""Pixels of the width that labels and margins take, about."""
_HATCHED_LANE = 6.0
"""Pixels: a hatch and an outline need lanes of at least this height."""
_LABEL_LENGTH = 32
_MARK_LENGTH = 40
_MARK_ROW_HEIGHT = 16
_CHARACTER = 6.2
"""Pixels: the width of one character of a mark's label, on the average."""
_MARK_SYMBOLS = {"note": "diamond", "action": "triangle-down", "record": "square"}
_MILLISECOND = 1_000_000
_SECOND = 1_000_000_000


def timeline(
    intervals: pd.DataFrame,
    marks: pd.DataFrame | None = None,
    *,
    now: int,
    modules: Iterable[str | ModuleKey] | None = None,
    theme: Theme = "light",
    width: int | None = None,
    height: int | None = None,
) -> go.Figure:
    """A swimlane a module, one bar trace a state (the legend switches them), marks, and a hover with reason and duration.

    Up to 3,000 intervals are drawn as they are; more are merged to what the pixels can show, the worst state wins, and the
    subtitle says so. `figure.layout.meta["description"]` is a text alternative.

    Parameters:
        intervals: as `tinypool_nb.views.frames` makes it; open intervals end at `now`.
        marks: the same; None for none.
        now: nanoseconds since 1970-01-01 UTC.
        modules: which modules to show, from the top, by their shown keys; all by default, in order of their first row.
        theme: "light" or "dark". The paper is transparent.
        width: pixels; by default the figure is as wide as the page lets it.
        height: pixels; by default it follows from the number of modules.
    """
    modules = None if modules is None else tuple(modules)
    pixels = max((width or _PAGE_WIDTH) - _SIDES, 50)
    lay_out = partial(swimlanes, intervals, marks, now=now, modules=modules, pixels=pixels, most=MOST_SEGMENTS)
    seen = lay_out(exact=EXACT_INTERVALS)
    palette = palette_of(theme)
    labels, rows = _mark_labels(seen, pixels, palette)
    top = TOP + rows * _MARK_ROW_HEIGHT
    count = max(len(seen.labels), 1)
    plot_height = max(height - top - BOTTOM, 40) if height else round(count * _lane_height(count))
    lane_height = plot_height / count
    hatched = lane_height >= _HATCHED_LANE
    if not hatched and seen.segments.intervals <= EXACT_INTERVALS:
        seen = lay_out(exact=0)  # thin bars have no outline, which keeps visible what is narrower than a pixel
    layout = common_layout(palette, title=_title(seen), subtitle=_subtitle(seen), top=top, height=top + plot_height + BOTTOM, width=width)
    layout |= {
        "meta": {"description": describe(intervals, now=now, modules=modules)},
        "barmode": "overlay",
        "bargap": 0.24 if hatched else 0.0,
        "annotations": labels if len(seen.segments.lane) else [*labels, empty_note("nothing recorded yet", palette)],
        "xaxis": _time_axis(seen, palette),
        "yaxis": _lane_axis(seen, palette, lane_height),
    }
    return figure([*_state_traces(seen, palette, hatched=hatched), *_mark_traces(seen, palette, lane_height)], layout)


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


def _time_axis(seen: Swimlanes, palette: Palette) -> dict[str, Any]:
    ahead = int(local_offsets(np.array([seen.end]))[0])
    title = f"time, UTC (local time is {offset_text(ahead)})" if ahead else "time, UTC"
    length = seen.end - seen.start
    # A little air, so that what lies at the very beginning and end is seen whole.
    ends = np.array([seen.start - length // 80, seen.end + length // 160], dtype=np.int64)
    return axis(palette, title) | {"type": "date", "range": iso_times(ends), "visible": len(seen.segments.lane) > 0}


def _lane_axis(seen: Swimlanes, palette: Palette, lane_height: float) -> dict[str, Any]:
    count = len(seen.labels)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10**9) if step * lane_height >= 12)
    places = list(range(0, count, step))
    return axis(palette, "") | {
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


def _mark_labels(seen: Swimlanes, pixels: int, palette: Palette) -> tuple[list[dict[str, Any]], int]:
    """The labels of marks about all modules, and how many rows they need; what does not fit shows on hover."""
    marks = [mark for mark in seen.marks if mark.lane is None]
    texts = [cut(one_line(mark.text), _MARK_LENGTH, keep_end=False) for mark in marks]
    times = iso_times(np.array([mark.time for mark in marks], dtype=np.int64))
    places = [(mark.time - seen.start) / (seen.end - seen.start) * pixels for mark in marks]
    placed, rows = label_rows(places, texts, width=pixels, character=_CHARACTER)
    labels = [
        {
            "text": for_plotly(texts[index]),
            "x": times[index],
            "xanchor": "right" if runs_left else "left",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            # The arrow without a head leads the line on to its label.
            "showarrow": True,
            "arrowhead": 0,
            "arrowwidth": 1,
            "arrowcolor": palette.ink,
            "ax": 0,
            "ay": -row * _MARK_ROW_HEIGHT,
            "borderpad": 3,
            "font": {"size": 11, "color": palette.ink},
        }
        for index, row, runs_left in placed
    ]
    return labels, rows


def _mark_traces(seen: Swimlanes, palette: Palette, lane_height: float) -> list[dict[str, Any]]:
    traces = []
    about_all = [mark for mark in seen.marks if mark.lane is None]
    if about_all:
        halo = {"color": f"{palette.page}a0", "width": 3}
        traces += [_lines(about_all, seen, line) for line in (halo, {"color": palette.ink, "width": 1})]
    on_lanes = [mark for mark in seen.marks if mark.lane is not None][-MOST_MODULE_MARKS:]
    if on_lanes:
        traces.append(_symbols(on_lanes, seen, lane_height))
    return traces


def _lines(marks: list[PlacedMark], seen: Swimlanes, line: dict[str, Any]) -> dict[str, Any]:
    bottom = max(len(seen.labels), 1) - 0.5
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "notes",
        "showlegend": False,
        "x": [x for time in iso_times(np.array([mark.time for mark in marks])) for x in (time, time, None)],
        "y": [-0.5, bottom, None] * len(marks),
        "hovertext": [text for mark in marks for text in (_mark_hover(mark, seen), _mark_hover(mark, seen), "")],
        "hoverinfo": "text",
        "line": line,
    }


def _symbols(marks: list[PlacedMark], seen: Swimlanes, lane_height: float) -> dict[str, Any]:
    small = lane_height < _HATCHED_LANE
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "marks",
        "showlegend": True,
        "legendrank": 1100,
        "x": iso_times(np.array([mark.time for mark in marks])),
        "y": [mark.lane for mark in marks],
        "hovertext": [_mark_hover(mark, seen) for mark in marks],
        "hoverinfo": "text",
        "cliponaxis": False,
        "marker": {
            "symbol": "circle" if small else [_MARK_SYMBOLS.get(mark.kind, "diamond") for mark in marks],
            "size": 3 if small else 9,
            # By name, not by number: a report that turns a light figure dark leaves these as they are.
            "color": "black" if small else "white",
            "line": {"color": "white" if small else "black", "width": 0.5 if small else 1},
        },
    }


def _mark_hover(mark: PlacedMark, seen: Swimlanes) -> str:
    whose = "" if mark.lane is None else f"<b>{lines_for_plotly(seen.labels[mark.lane], width=60)}</b><br>"
    return f"{whose}{lines_for_plotly(mark.text)}<br>{times_text(np.array([mark.time]))[0]} UTC ({mark.kind})"
