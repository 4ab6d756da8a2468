"""The backoff plot: how long gRPC really waited between attempts, against the window of the specification."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tinypool_nb.core.backoff import JITTER, Rung, ladder, rung, within
from tinypool_nb.core.events import Outcome
from tinypool_nb.core.keys import ModuleKey
from tinypool_nb.core.options import Backoff
from tinypool_nb.core.palette import Palette, Theme, palette_of
from tinypool_nb.core.states import State
from tinypool_nb.views.figure_layout import BOTTOM, TOP, axis, common_layout, figure
from tinypool_nb.views.swimlanes import nanoseconds, shown_keys
from tinypool_nb.views.wording import cut, duration_text, for_plotly, lines_for_plotly, one_line, times_text

TOLERANCE = 0.1
"""Seconds that timers may add or take: that of gRPC's own interop test."""

_PLOT_HEIGHT = 320
_FEWEST_RUNGS = 6
_LOGARITHMIC_FROM = 8.0
"""Longest wait over shortest from which a linear axis would crowd the short ones."""
_TICKS = [digit * 10.0**power for power in range(-2, 5) for digit in (1, 2, 5)]
"""Of the logarithmic axis, seconds."""
_SECOND = 1_000_000_000


class Gap(NamedTuple):
    """The time from the start of a failed attempt to the start of the next one on the same subchannel."""

    run: int
    """Number of the failing run, counted from 1. A success ends a run; a new channel or subchannel starts its own."""
    attempt: int
    """Number of the first of the two attempts in its run, counted from 1."""
    start: int
    """When the first of the two started, nanoseconds since 1970-01-01 UTC."""
    seconds: float
    lasted: float
    """Seconds until the first of the two failed."""
    peer: str
    reason: str


class _Row(NamedTuple):
    """One attempt."""

    generation: int
    subchannel: int
    outcome: str
    peer: str
    reason: str
    start: int
    known: bool
    """Whether its start is."""
    end: int


def measured_gaps(attempts: pd.DataFrame) -> list[Gap]:
    """The gaps between the attempts of one module, by subchannel, since that is what gRPC counts its backoff by.

    Parameters:
        attempts: as `tinypool_nb.views.frames` makes it, of one module. After an attempt whose start is unknown nothing is
            measured until the next success: nobody knows how many attempts the run had before.
    """
    columns = (attempts[name].tolist() for name in ("generation", "subchannel", "outcome", "peer", "reason"))
    starts, ends = nanoseconds(attempts["start"]), nanoseconds(attempts["end"])
    rows = [*map(_Row, *columns, starts.tolist(), attempts["start"].notna().tolist(), ends.tolist())]
    subchannels: dict[tuple[int, int], list[_Row]] = {}  # plain lists: pandas takes 20 ms for what these do in 1
    for place in np.argsort(ends, kind="stable").tolist():
        row = rows[place]
        subchannels.setdefault((row.generation, row.subchannel), []).append(row)
    found: list[Gap] = []
    run = 0
    for subchannel in subchannels.values():
        failures: list[_Row] | None = []  # of the run under way; None while their number is unknown
        for row in subchannel:
            if failures and row.known:
                last = failures[-1]
                seconds, lasted = (row.start - last.start) / _SECOND, (last.end - last.start) / _SECOND
                found.append(Gap(run, len(failures), last.start, seconds, lasted, str(last.peer), str(last.reason)))
            if row.outcome != Outcome.FAILED:
                failures = []
            elif not row.known:
                failures = None
            elif failures is not None:
                run += not failures
                failures.append(row)
    return found


def keeps_to(gap: Gap, backoff: Backoff) -> bool:
    """Whether the specification allows the gap: within its window, or at once after an attempt that took longer than its wait."""
    if within(gap.seconds, gap.attempt, backoff, tolerance=TOLERANCE):
        return True
    outlasted = gap.lasted > rung(gap.attempt, backoff).shortest
    return outlasted and abs(gap.seconds - gap.lasted) <= TOLERANCE


def backoff_plot(
    attempts: pd.DataFrame, backoff: Backoff, *, module: str | ModuleKey, transport: str = "", theme: Theme = "light"
) -> go.Figure:
    """The real gap after each failed attempt against the specification's window: 80 to 120 % of the wait, give or take 100 ms.

    The axis of seconds is logarithmic where waits differ much. `figure.layout.meta["description"]` is a text alternative.

    Parameters:
        attempts: as `tinypool_nb.views.frames` makes it; other modules than `module` are left out.
        backoff: the settings of the module's channel.
        module: its shown key.
        transport: how its channel is secured; "" to leave that out.
        theme: "light" or "dark". The paper is transparent.
    """
    palette = palette_of(theme)
    name = str(module)
    gaps = measured_gaps(attempts[shown_keys(attempts) == name])
    rungs = ladder(backoff, max(_FEWEST_RUNGS, *(gap.attempt for gap in gaps), 0))
    kept = sum(keeps_to(gap, backoff) for gap in gaps)
    summary = f"{kept} of {len(gaps)} gaps keep to the specification" if gaps else "no attempt has followed a failed one yet"
    rules = f"{backoff.initial:g} s × 1.6 each time, at most {backoff.maximum:g} s, give or take {JITTER:.0%}"
    layout = common_layout(
        palette,
        title=f"Backoff of {for_plotly(cut(one_line(name), 60))}",
        subtitle=" · ".join(part for part in (summary, rules, transport) if part),
        top=TOP,
        height=TOP + _PLOT_HEIGHT + BOTTOM,
        width=None,
    )
    values = [rungs[0].shortest, rungs[-1].longest, *(gap.seconds for gap in gaps)]
    seconds: dict[str, Any] = {"type": "linear", "rangemode": "tozero"}
    if min(values) > 0 and max(values) / min(values) >= _LOGARITHMIC_FROM:
        seconds = {"type": "log", "tickvals": _TICKS, "ticktext": [f"{tick:g}" for tick in _TICKS]}
    numbers = {"range": [0.5, len(rungs) + 0.5], "showgrid": False, "tickformat": "d"} | ({"dtick": 1} if len(rungs) <= 20 else {})
    layout |= {
        "meta": {"description": f"The backoff of {one_line(name)}: {summary}; it is {rules}."},
        "xaxis": axis(palette, "attempt in its failing run") | numbers,
        "yaxis": axis(palette, "seconds to the next attempt") | seconds,
    }
    return figure([*_window_traces(rungs, palette), *_gap_traces(gaps, backoff, palette)], layout)


def _window_traces(rungs: tuple[Rung, ...], palette: Palette) -> list[dict[str, Any]]:
    """The window as a band of steps, each as wide as one attempt, and the nominal wait as a line in it."""
    edges = [edge for step in rungs for edge in (step.attempt - 0.5, step.attempt + 0.5)]
    shade = palette.looks[State.READY.code].colour
    common = {"type": "scatter", "mode": "lines", "x": edges, "hoverinfo": "skip", "legendgroup": "window"}
    low = [max(step.shortest - TOLERANCE, 0.001) for step in rungs for _ in range(2)]
    high = [step.longest + TOLERANCE for step in rungs for _ in range(2)]
    nominal = [step.nominal for step in rungs for _ in range(2)]
    return [
        common | {"y": low, "line": {"width": 0}, "showlegend": False},
        common | {"y": high, "line": {"width": 0}, "fill": "tonexty", "fillcolor": f"{shade}38", "name": "the specification's window"},
        common | {"y": nominal, "line": {"width": 1.5, "color": shade, "dash": "dot"}, "name": "without jitter"},
    ]


def _gap_traces(gaps: list[Gap], backoff: Backoff, palette: Palette) -> list[dict[str, Any]]:
    """The gaps that keep to the specification and those that do not: two traces, told apart by symbol too."""
    good, bad = palette.looks[State.READY.code].colour, palette.looks[State.TRANSIENT_FAILURE.code].colour
    traces = []
    for kept, name, symbol, colour in ((True, "measured", "circle", good), (False, "outside the window", "x", bad)):
        chosen = [gap for gap in gaps if keeps_to(gap, backoff) is kept]
        if chosen:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [gap.attempt for gap in chosen],
                    "y": [gap.seconds for gap in chosen],
                    "hovertext": [_hover(gap, backoff) for gap in chosen],
                    "hoverinfo": "text",
                    "marker": {"symbol": symbol, "size": 9, "color": colour, "line": {"color": palette.page, "width": 1}},
                }
            )
    return traces


def _hover(gap: Gap, backoff: Backoff) -> str:
    wait = rung(gap.attempt, backoff)
    lines = [
        f"<b>attempt {gap.attempt} of run {gap.run}</b>",
        f"next one after {gap.seconds:.3f} s; allowed: {wait.shortest:.3g} to {wait.longest:.3g} s, give or take {TOLERANCE:g} s",
        f"{times_text(np.array([gap.start]))[0]} UTC, failed after {duration_text(gap.lasted)}",
        lines_for_plotly(gap.peer),
        lines_for_plotly(gap.reason),
    ]
    return "<br>".join(line for line in lines if line)
