"""What all plotly figures have in common: paper, type, legend, hover, and how a time is written."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from tinypool_nb.core.palette import Palette

TOP = 72
"""Pixels above the plot: title and subtitle."""
BOTTOM = 92
"""Pixels below the plot: ticks, the axis' title and the legend."""
HATCHED_LANE = 6.0
"""Pixels: a hatch and an outline need lanes of at least this height."""
GRID = "rgba(128,128,128,0.3)"
"""Quiet on a light page and on a dark one: a figure of the light theme is often shown on JupyterLab's dark one."""


def figure(traces: list[dict[str, Any]], layout: dict[str, Any]) -> go.Figure:
    """A figure of plain dicts and numpy arrays, not validated: that would take as long as all the rest, and tests do it."""
    return go.Figure({"data": traces, "layout": layout}, _validate=False)


def common_layout(palette: Palette, *, title: str, subtitle: str, top: float, height: float, width: int | None) -> dict[str, Any]:
    """The layout of a figure without its axes.

    Parameters:
        palette: whose ink is used; the paper is transparent.
        title: escaped for plotly.
        subtitle: the same.
        top: pixels above the plot.
        height: pixels in all.
        width: pixels; None for as wide as the page lets it.
    """
    return {
        "template": {},
        "width": width,
        "height": height,
        "margin": {"t": top, "b": BOTTOM, "l": 20, "r": 20},
        "title": {
            "text": title,
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 20, "t": 14},
            "font": {"size": 16, "weight": 600},
            "subtitle": {"text": subtitle, "font": {"size": 12, "color": palette.ink}},
        },
        "font": {"family": "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif", "size": 12, "color": palette.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": palette.page, "bordercolor": palette.ink, "font": {"color": palette.ink, "size": 12}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container", "traceorder": "normal"},
        "dragmode": "pan",
    }


def axis(title: str) -> dict[str, Any]:
    """An axis with a quiet grid."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 12}},
        "showgrid": True,
        "gridcolor": GRID,
        "ticks": "outside",
        "tickcolor": GRID,
        "zeroline": False,
        "automargin": True,
    }


def empty_note(text: str, palette: Palette) -> dict[str, Any]:
    """What stands in the middle of a figure that has nothing to show."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "showarrow": False,
        "font": {"size": 15, "color": palette.ink},
    }


def iso_times(times: NDArray[np.int64]) -> list[str]:
    """Nanoseconds since 1970-01-01 UTC as plotly reads them on a date axis: a float would shift by the browser's time zone."""
    return np.datetime_as_string(times.astype("datetime64[ns]"), unit="us").tolist()  # type: ignore[no-any-return]
