"""The calls under the lanes of a plotly timeline: when each ended and how long it took, on the lanes' own axis of time."""

from typing import Any

import numpy as np

from tinypool_nb.core.lanes import Viewport
from tinypool_nb.core.palette import Palette
from tinypool_nb.core.states import State
from tinypool_nb.views.figure_layout import axis, iso_times
from tinypool_nb.views.mark_traces import mark_lines
from tinypool_nb.views.shown_calls import Calls, ShownCalls, duration_range, duration_ticks, hovers, shown_calls
from tinypool_nb.views.swimlanes import Swimlanes

HEIGHT = 214
"""Pixels that the panel adds to the figure, the space above it and its row of the legend included."""
EXACT_CALLS = 3_000
"""Up to so many calls are drawn as they are, so that zooming in shows more."""
MOST_CALLS = 4_000
"""Marks that a browser draws in half a second or so, and that an eye can tell apart."""

_SPACE = 34
"""Pixels between the lanes and the panel, where its heading stands."""
_LEGEND = 18
"""Pixels: with two more entries the legend takes one more row on most pages, which shall not be the lanes' loss."""
_COLUMN = 3
"""Pixels: half of a mark's width."""
_LINE_FROM = 10
"""Pixels: a call that took longer than this is wide has a line from its start to its end."""


def add_calls_panel(
    traces: list[dict[str, Any]],
    layout: dict[str, Any],
    calls: Calls,
    seen: Swimlanes,
    palette: Palette,
    *,
    pixels: int,
    lanes_height: float,
) -> None:
    """Put the calls under the lanes. Both have one axis of time, which moves below the panel; the lanes keep their height.

    Parameters:
        traces: of the lanes; those of the panel are added.
        layout: of the lanes with `xaxis` and `yaxis`; it is made to hold the panel, and its description tells of the calls.
        calls: at least one.
        seen: what the lanes show.
        palette: whose colours are used.
        pixels: width of the plot.
        lanes_height: pixels.
    """
    shown = shown_calls(calls, Viewport(seen.start, seen.end, max(pixels // _COLUMN, 1)), exact=EXACT_CALLS, most=MOST_CALLS)
    low, high = duration_range(shown.seconds)
    ticks = duration_ticks(low, high)
    below = HEIGHT - _LEGEND
    whole = lanes_height + below
    top = (below - _SPACE) / whole
    layout["height"] += HEIGHT
    layout["margin"]["b"] += _LEGEND
    layout["yaxis"]["domain"] = [below / whole, 1]
    layout["yaxis2"] = axis("duration of calls") | {
        "type": "log",
        "domain": [0, top],
        "range": [low, high],
        "tickmode": "array",
        "tickvals": list(ticks),
        "ticktext": list(ticks.values()),
        "fixedrange": True,
    }
    # A line through lanes and panel follows the pointer: what was at that moment?
    spike = {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": palette.ink,
    }
    layout["xaxis"] |= {"anchor": "y2", "visible": True} | spike
    layout["legend"]["itemsizing"] = "constant"
    layout["annotations"] = [*layout["annotations"], _heading(shown.note, top)]
    layout["meta"]["description"] += f" {calls.describe()}"
    lines = [trace | {"yaxis": "y2"} for trace in mark_lines(seen, palette, 10**low, 10**high)]
    traces += [*lines, *_traces(shown, palette, (seen.end - seen.start) / pixels * _LINE_FROM / 1e9)]


def _heading(text: str, top: float) -> dict[str, Any]:
    """A line of text above the panel: the figure's own subtitle may be full already."""
    return {"text": text, "xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": top, "yanchor": "bottom", "showarrow": False}


def _traces(shown: ShownCalls, palette: Palette, line_from: float) -> list[dict[str, Any]]:
    """Answered and failed calls, told apart by symbol too; the failed ones lie on top. `line_from`: seconds."""
    texts = np.array(hovers(shown), dtype=object)
    ends = np.array(iso_times(shown.end), dtype=object)
    starts = np.array(iso_times(shown.calls.start[shown.place]), dtype=object)
    crowd = len(shown.place)
    size = 7 if crowd <= 300 else 6 if crowd <= 1_000 else 5
    # Where marks stand for many, the denser a crowd the darker it is.
    weight = np.log(shown.stands_for) / max(np.log(shown.stands_for.max()), 1)
    opacity = 0.8 if crowd <= 300 else 0.65 if crowd == shown.stands_for.sum() else np.round(0.4 + 0.55 * weight[~shown.failed], 2)
    answered = {"symbol": "circle", "size": size, "opacity": opacity}
    failed = {"symbol": "x", "size": size + 1, "opacity": 1}
    traces: list[dict[str, Any]] = []
    looks = ((False, "answered", State.READY, answered), (True, "failed", State.TRANSIENT_FAILURE, failed))
    for is_failed, name, state, marker in looks:
        chosen = shown.failed == is_failed
        if not chosen.any():
            continue
        colour = palette.looks[state.code].colour
        common = {"type": "scatter", "yaxis": "y2", "name": f"calls {name}", "legendgroup": f"calls {name}"}
        long = np.flatnonzero(chosen & (shown.seconds >= line_from))
        if len(long):
            gaps = np.full(len(long), None, dtype=object)
            traces.append(
                common
                | {
                    "mode": "lines",
                    "x": np.stack((starts[long], ends[long], gaps), axis=1).ravel().tolist(),
                    "y": np.repeat(shown.seconds[long], 3),
                    "line": {"width": 1, "color": colour},
                    "opacity": 0.6,
                    "hoverinfo": "skip",
                    "showlegend": False,
                }
            )
        traces.append(
            common
            | {
                "mode": "markers",
                "showlegend": True,
                "legendrank": 1200 + is_failed,
                "x": ends[chosen].tolist(),
                "y": shown.seconds[chosen],
                "hovertext": texts[chosen].tolist(),
                "hoverinfo": "text",
                "marker": marker | {"color": colour, "line": {"color": palette.page, "width": 0.5}},
            }
        )
    return traces
